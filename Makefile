# Every command that a person needs. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header --no-annotate

.DEFAULT_GOAL := help
.PHONY: help install install-dev up test lint proto openapi lock bench chaos fresh clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: .venv/.installed ## Make .venv with the flick and flick-agent commands

install-dev: .venv/.installed-dev

.venv/bin/python:
	@deploy/make-venv.sh $(PYTHON) .venv

.venv/.installed: .venv/bin/python requirements.txt pyproject.toml
	@echo "Installing what FLick needs into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.txt
	@echo "Installing what the tests need into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

up: install ## Start FLick with this machine as its first server
	@$(BIN)/flick up $(ARGS)

test: lint ## Run every check and every test
	@$(BIN)/python -m pytest $(ARGS)

lint: install-dev ## Check style, types and who imports whom
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

proto: install-dev ## Generate flick/v1 from proto/flick/v1
	@$(BIN)/python proto/generate.py
	@$(BIN)/python proto/metrics.py

openapi: install ## Write the API's OpenAPI document to build/openapi.json
	@mkdir -p build
	@$(BIN)/python -m gateway openapi > build/openapi.json

lock: install-dev ## Pin every dependency anew
	@$(COMPILE) --upgrade --extra build --extra local pyproject.toml --output-file requirements.txt
	@$(COMPILE) --upgrade --extra dev --constraint requirements.txt pyproject.toml --output-file requirements-dev.txt

bench: install-dev ## Measure against the goals; writes build/bench.json
	@$(BIN)/python -m tests.bench

chaos: install-dev ## Run the long fault scenarios and an hour's soak, for about 95 minutes; writes build/chaos.json
	@$(BIN)/python -m tests.chaos $(ARGS)

fresh: ## Try `make up` and `make test` on a fresh Debian in a chroot (as root)
	@deploy/fresh.sh

clean: ## Remove what the commands above made here
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
