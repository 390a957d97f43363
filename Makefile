# `make run` and `make test` are all that is needed; each makes .venv first where it is missing: all of requirements.lock,
# which is every extra of pyproject.toml. `pip install .` brings what renders, and no more.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-compile
# Test files go side by side: one a core, four at most, as some train two networks at once. `make test WORKERS=1` has one.
WORKERS ?= logical
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 4 --dist loadgroup --no-loadscope-reorder

# One that was moved or copied runs the code of the folder where it was made, or nothing.
# A link is somebody's own doing.
OTHER := $(shell code=$$(cat $(VENV)/lib/python*/site-packages/__editable__.micromime-*.pth 2>/dev/null); \
	test -z "$$code" -o -L $(VENV) -o "$$code" -ef src || echo "$$code")
ifneq ($(OTHER),)
$(error $(VENV) was made for another folder and runs the code in $(OTHER); delete it (rm -rf $(VENV)), and make makes it anew)
endif

.PHONY: run test test-rendering test-servers test-ci test-all lint readme docs benchmark transfer

run: $(VENV)/installed
	@$(BIN)/micromime run

# Units, and the cycle in one process.
test: $(VENV)/installed
	$(PYTEST) --durations 10

# What renders, by another Python: make test-rendering PYTHON=python3.13 VENV=.venv-3.13
test-rendering: $(VENV)/installed
	$(PYTEST) tests/scenario tests/partial_models tests/datasets tests/use_cases

# The pipeline under DVC, and real servers.
test-servers: $(VENV)/installed
	$(PYTEST) -m "ci and not slow" --durations 10

test-ci: test test-servers

# These too, and what is too slow for every day.
test-all: $(VENV)/installed
	$(PYTEST) -m ""

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

# The numbers and pictures of README.md and docs/.
readme: $(VENV)/installed
	$(BIN)/python -m docs.write_readme

# Their pages, and one for each partial model: build/docs/index.html. Nothing is fetched.
docs: $(VENV)/installed
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -c docs -d build/doctrees . build/docs
	@echo "build/docs/index.html"

benchmark: $(VENV)/installed
	$(BIN)/python benchmarks/render.py

transfer: $(VENV)/installed
	$(BIN)/python benchmarks/transfer.py

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "micromime needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --quiet --progress-bar off --no-deps --requirement requirements.lock
	$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@$(PIP) --quiet --no-deps --no-build-isolation noise==1.2.2 >$(VENV)/noise.log 2>&1 || \
	  echo "The package noise was not installed (it needs a C compiler): tests that compare with it are skipped."
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true  # by all cores; some packages hold no Python 3
	@touch $@
