# `make demo` and `make test` set up everything they need in .venv, then run.
# A second run finds the set-up done and starts at once.
#   make PYTHON=/path/to/python demo      another interpreter (3.11 or newer)
#   make PIP_OPTIONS="--index-url URL"    another place to install from

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PIP_OPTIONS ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2

.PHONY: demo test lint types bench-names clean help

help:
	@echo "make demo         train the name generator (first time) and print names"
	@echo "make test         every check: lint, types, tests"
	@echo "make bench-names  the figures the README quotes for the name generator"
	@echo "make clean        remove .venv and caches"

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Recurra needs Python 3.11 or newer: make PYTHON=/path/to/it"; exit 1; }
	@echo "Setting up $(VENV) (once, a minute or two) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade $(PIP_OPTIONS) "pip>=25.1"
	@$(BIN)/python -m pip install --quiet $(PIP_OPTIONS) -c constraints.txt torch numpy
	@$(BIN)/python -m pip install --quiet $(PIP_OPTIONS) -c constraints.txt -e ".[all]" --group dev
	@touch $@

demo: $(READY)
	@$(BIN)/recurra names

test: lint types $(READY)
	@$(BIN)/python -m pytest -n $(WORKERS)

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY)
	@$(BIN)/mypy

bench-names: $(READY)
	@GOMP_SPINCOUNT=1000 $(BIN)/python benchmarks/names.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
