# Installs splitlab into .venv, once, and runs it from there: `make lab`, `make demo`, `make test`, `make bench`.
# Another Python: make demo PYTHON=python3.12. Options for pip: see "Installing" in README.md.

PYTHON ?= python3
PIP_ARGS ?=
BIN := .venv/bin
PIP = $(BIN)/python -m pip --quiet
INSTALL = $(PIP) install --constraint constraints.txt $(PIP_ARGS)
EXTENSIONS := .venv/share/jupyter/labextensions
SOURCES := $(shell find splitlab -name '*.py') $(shell find widgets -type f -not -path '*/node_modules/*' -not -path '*/test/*' -not -name '*.pyc') \
	pyproject.toml constraints.txt README.md LICENSE

.PHONY: help lab demo test check front bench clean

help:  ## say what there is
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 8

lab: .venv/lab  ## open the first notebook in JupyterLab
	$(BIN)/splitlab lab notebooks/00-start.ipynb

demo: .venv/lab  ## run the main job without a screen: a table, and charts in demo.html
	$(BIN)/splitlab demo

test: check  ## check, then run all tests and notebooks
	$(BIN)/python widgets/front.py test
	$(BIN)/pytest --durations=5

check: .venv/test  ## lint, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

front: .venv/lab  ## for work on widgets: build them and show them in the JupyterLab of .venv, after a reload
	$(BIN)/python widgets/front.py build
	rm -rf $(EXTENSIONS)/splitlab
	cp -R splitlab/labextension $(EXTENSIONS)/splitlab

bench: .venv/lab  ## measure against physical limits
	$(BIN)/splitlab bench --json bench.json

clean:  ## remove what make made
	rm -rf .venv build demo.html bench.json splitlab/labextension widgets/node_modules

# The first install brings everything; what changes later is only splitlab itself.
.venv/lab: $(SOURCES) | .venv/made
	rm -rf build/wheel
	$(PIP) wheel --no-deps --build-constraint constraints.txt $(PIP_ARGS) --wheel-dir build/wheel .
	$(INSTALL) "$$(echo build/wheel/splitlab-*.whl)[lab]"
	$(INSTALL) --force-reinstall --no-deps build/wheel/splitlab-*.whl
	@touch $@

.venv/test: .venv/lab
	$(INSTALL) "$$(echo build/wheel/splitlab-*.whl)[test]"
	@touch $@

.venv/made:
	$(PYTHON) -m venv .venv
	$(INSTALL) --upgrade pip  # Debian 12 brings one that cannot read the newest packages
	@touch $@
