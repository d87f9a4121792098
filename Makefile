# Everything here sets itself up: Python 3.11 or newer is all a machine needs. Quick when it is set up already.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
# Set PYTHON to choose another interpreter.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
PIP := $(PY) -m pip install -qq --disable-pip-version-check
WORKERS ?= 2
SECONDS_OF_FUZZ ?= 60
PEERS := .cache/peers

.PHONY: help demo test nightly check ruff mypy pyright contracts bench bench-all fuzz fmt clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ -/'

demo: $(VENV)/.demo ## rules mediate a real agent and decide recorded traffic
	@$(PY) -m docs.demo

test: $(VENV)/.dev ## all tests (about five minutes on two cores)
	@mkdir -p .cache
	@$(PY) -m pytest -q -n $(WORKERS) --junitxml=.cache/tests.xml $(PYTEST_ARGS)

nightly: $(VENV)/.dev ## the same with 200,000 generated cases a property
	@mkdir -p .cache
	@POLICY_CASES=200000 $(PY) -m pytest -q -n $(WORKERS) --junitxml=.cache/nightly.xml $(PYTEST_ARGS)

check: ruff mypy pyright contracts ## style, types, architecture

ruff: $(VENV)/.dev
	@$(PY) -m ruff check .

mypy: $(VENV)/.dev
	@$(PY) -m mypy

pyright: $(VENV)/.dev
	@command -v node >/dev/null || $(PIP) 'pyright[nodejs]'
	@$(VENV)/bin/pyright --pythonpath $(PY)

contracts: $(VENV)/.dev
	@$(VENV)/bin/lint-imports --no-logo 2>/dev/null || $(VENV)/bin/lint-imports

bench: $(VENV)/.dev ## what decisions cost, and whether that has drifted (a minute and a half)
	@$(PY) -m tests.benchmarks.table

bench-all: $(PEERS)/.done ## every benchmark, beside other engines, into docs/benchmarks.md (ten minutes)
	@$(PEERS)/bin/python -m tests.benchmarks.table --all

fuzz: $(VENV)/.dev ## a minute of broken input for the parser
	@$(PY) tests/fuzz/fuzz_parser.py --seconds $(SECONDS_OF_FUZZ)

fmt: $(VENV)/.dev ## mend what ruff can mend
	@$(PY) -m ruff check --fix --quiet .

clean: ## forget everything that was set up
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

$(PY):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; set PYTHON to one"; exit 1; }
	@echo "making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

# The demo installs the core, LangChain and the keys of approvers, nothing else; tests install what developers need.
$(VENV)/.demo: pyproject.toml | $(PY)
	@test -e $(VENV)/.dev || { echo "installing policy-engine and LangChain"; $(PIP) --editable '.[langchain,approvals]'; }
	@touch $@

# Other engines stay out of the developers' environment.
$(PEERS)/.done: pyproject.toml tests/benchmarks/peers.txt | $(PY)
	@echo "installing other engines into $(PEERS)"
	@$(PY) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install -qq --disable-pip-version-check --editable . --requirement tests/benchmarks/peers.txt
	@touch $@

$(VENV)/.dev: pyproject.toml | $(PY)
	@echo "installing policy-engine and what its developers need"
	@$(PIP) --editable '.[dev]'
	@touch $@
