# Installs splitlab into .venv, once, and runs it from there: `make lab`, `make demo`, `make test`, `make bench`.
# Another Python: make demo PYTHON=python3.12. Options for pip: see "Installing" in README.md.

PYTHON ?= python3
PIP_ARGS ?=
BIN := .venv/bin
INSTALL = $(BIN)/python -m pip install --quiet --constraint constraints.txt $(PIP_ARGS)
SOURCES := $(shell find splitlab -name '*.py') pyproject.toml constraints.txt README.md LICENSE

.PHONY: help lab demo test check bench clean

help:  ## say what there is
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 8

lab: .venv/lab  ## open the first notebook in JupyterLab
	$(BIN)/jupyter lab notebooks/00-start.ipynb

demo: .venv/lab  ## run the main job without a screen: a table, and charts in demo.html
	$(BIN)/splitlab demo

test: check  ## check, then run all tests and notebooks
	$(BIN)/pytest --durations=5

check: .venv/test  ## lint, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: .venv/lab  ## measure against physical limits
	$(BIN)/splitlab bench --json bench.json

clean:  ## remove what make made
	rm -rf .venv build demo.html bench.json

# The first install brings everything; what changes later is only splitlab itself.
.venv/lab: $(SOURCES) | .venv/made
	$(INSTALL) '.[lab]'
	$(INSTALL) --force-reinstall --no-deps .
	@touch $@

.venv/test: .venv/lab
	$(INSTALL) '.[test]'
	@touch $@

.venv/made:
	$(PYTHON) -m venv .venv
	$(INSTALL) --upgrade pip  # Debian 12 brings one that cannot read the newest packages
	@touch $@
