# Everything a person or CI runs. A fresh machine needs Python 3.11 or newer with pip, and make.

PYTHON ?= python3
VENV   ?= .venv
EXTRAS ?= test,lint
ARGS   ?=

BIN     := $(VENV)/bin
STAMP   := $(VENV)/.installed-$(EXTRAS)
DEMO    := $(VENV)/.installed-cpu

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test integrations lint bench

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'ARGS="..." goes to pytest: make test ARGS="-k stream". PYTHON=... picks the interpreter.'

demo: $(DEMO) ## play a conversation: five things that go wrong in a chat
	@$(BIN)/python examples/demo/demo.py

test: $(STAMP) ## run the whole test suite
	$(BIN)/python -m pytest $(ARGS)

integrations: | $(BIN)/python ## run the adapters' tests, each against its real package
	$(BIN)/python -m tests.integrations.environments $(ARGS)

lint: $(STAMP) ## check lint rules, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP) ## run the benchmarks
	$(BIN)/python -m pytest benchmarks/ --benchmark-only $(ARGS)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'guardkit needs Python 3.11 or newer: make PYTHON=python3.11 ...' >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

# The interpreter is order-only: its age says nothing about what is installed.
# The demo needs what judges and nothing else.
$(DEMO): override EXTRAS := cpu
$(sort $(STAMP) $(DEMO)): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@
