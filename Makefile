# Two commands on a fresh machine with Python >= 3.11, git and make: `make demo` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
VENV := .venv/.ready
PROTO := build/proto/.ready
DATA := build/data/.ready
PROTOS := $(shell find protos -name '*.proto')
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup proto data run demo test lint verify bench clean

help: ## Show what there is
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

setup: $(VENV) $(PROTO) ## Make .venv, install the pinned packages, build the contract

proto: $(PROTO) ## Build Python code and descriptors from protos/

data: $(DATA) ## Fetch the packages that carry the demo's data

run: setup ## Start store, services and gateway; stop with Ctrl-C
	@$(BIN)/python -m deploy.local

demo: setup $(DATA) ## Run the main job on real data and verify it (STORE=url, KEEP=1)
	@$(BIN)/python -m deploy.demo

test: setup $(DATA) ## Run all tests, real processes included
	@$(BIN)/python -m pytest

lint: setup ## Check format, types, import rules, the contract and the gateway
	@echo "ruff" && ruff check . && ruff format --check -q .
	@echo "mypy --strict" && mypy
	@echo "import-linter" && lint-imports --no-logo 2>/dev/null | tail -n 4
	@echo "buf" && buf format --diff --exit-code protos && buf lint && $(BIN)/python protos/breaking.py
	@echo "envoy" && $(BIN)/python -m gateway.validate

verify: setup $(DATA) ## Run the long checks: crashes, fuzzing, state machines
	@$(BIN)/python -m pytest tests/verify -o addopts="-q --strict-markers --strict-config"

bench: setup $(DATA) ## Measure, as ratios in one run; writes docs/reports/bench.md
	@$(BIN)/python -m tests.bench

clean: ## Remove what was built, installed and run here
	rm -rf .venv build var .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(VENV): requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is missing: install Python 3.11 or newer"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $$($(PYTHON) --version) is too old: Python 3.11 or newer is needed (PYTHON=path chooses one)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: $(PYTHON) has no venv module: install it (Debian: apt-get install python3-venv)"; exit 1; }
	@echo "setup: installing $$(grep -c == requirements.lock) pinned packages into .venv"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -r requirements.lock
	@printf '%s\n%s\n' '$(CURDIR)' '$(CURDIR)/build/proto' > $$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')/equiloop.pth
	@touch $@

$(PROTO): $(VENV) $(PROTOS) protos/build.py
	@echo "setup: building the contract from protos/"
	@rm -rf .mypy_cache # it does not survive that stubs are made anew
	@$(BIN)/python protos/build.py
	@touch $@

$(DATA): $(VENV) deploy/demo/data.py
	@echo "setup: fetching the demo's data from the packages that carry it"
	@$(BIN)/python -m deploy.demo.data
	@touch $@
