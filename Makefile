# `make run` and `make test` are all that is needed; each makes .venv first where it is missing.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-compile
# Test files go side by side: one a core, four at most, as some train two networks at once. `make test WORKERS=1` has one.
WORKERS ?= logical
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 4 --dist loadgroup --no-loadscope-reorder

.PHONY: run test test-servers test-ci test-all lint readme docs benchmark transfer

run: .venv/installed
	@$(BIN)/micromime run

# Units, and the cycle in one process.
test: .venv/installed
	$(PYTEST) --durations 10

# The pipeline under DVC, and real servers.
test-servers: .venv/installed
	$(PYTEST) -m ci --durations 10

test-ci: test test-servers

# These too, and what is too slow for every day.
test-all: .venv/installed
	$(PYTEST) -m ""

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

# The numbers and pictures of README.md and docs/.
readme: .venv/installed
	$(BIN)/python -m docs.write_readme

# Their pages, and one for each partial model: build/docs/index.html. Nothing is fetched.
docs: .venv/installed
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -c docs -d build/doctrees . build/docs
	@echo "build/docs/index.html"

benchmark: .venv/installed
	$(BIN)/python benchmarks/render.py

transfer: .venv/installed
	$(BIN)/python benchmarks/transfer.py

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "micromime needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv .venv
	$(PIP) --quiet --progress-bar off --no-deps --requirement requirements.lock
	$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@$(PIP) --quiet --no-deps --no-build-isolation noise==1.2.2 >.venv/noise.log 2>&1 || \
	  echo "The package noise was not installed (it needs a C compiler): tests that compare with it are skipped."
	@$(BIN)/python -m compileall -q -j 0 .venv/lib >/dev/null 2>&1 || true  # by all cores; some packages hold no Python 3
	@touch $@
