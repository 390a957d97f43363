# `make run` and `make test` are all that is needed; each makes .venv first where it is missing.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check
# Test files go side by side: one a core, four at most, as some train two networks at once. `make test WORKERS=1` has one.
WORKERS ?= logical
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: run test test-slow story readme benchmark transfer

run: .venv/installed
	@$(BIN)/micromime run

test: .venv/installed
	$(PYTEST) -m "not slow"

test-slow: .venv/installed
	$(PYTEST) -m slow

story: .venv/installed
	MICROMIME_STORY=$(CURDIR)/.micromime/story $(BIN)/python -m pytest -m slow -s tests/team/test_story.py
	@echo "The page of MLflow: .micromime/story/mlflow.png"

readme: .venv/installed
	$(BIN)/python docs/write_readme.py
	$(BIN)/python docs/write_statistics.py

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
	@touch $@
