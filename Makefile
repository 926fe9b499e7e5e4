# Needs Python 3.11+ and nothing else: `make demo` sets up .venv by itself.
PYTHON ?= python3
RUN := .venv/bin/python -m
# Most tests wait for processes rather than compute, so more run at once than there are cores. They share a Kafka; each
# has a Postgres of its own.
WORKERS ?= 4
# Each worker takes the next test, in order: the long ones come first.
SPREAD := --dist loadgroup --no-loadscope-reorder
# Hundreds of Pythons start in a run: compiled once, a module is not compiled by each of them.
unexport PYTHONDONTWRITEBYTECODE
CHECKED := schemas services undertone tests benchmarks

# Decisions without I/O, on which everything else relies: batching, pacing, acknowledgement order, revisions.
CORES := schemas/event.py,schemas/revisions.py,services/analyzer/acknowledgements.py,$\
services/analyzer/in_flight.py,services/analyzer/batching.py,services/analyzer/pacing.py,services/analyzer/holds.py

.DEFAULT_GOAL := help
.PHONY: help demo up down test tests lint unit test-containers test-llm bench hooks lock generate format clean setup

help: ## Show what there is
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

demo: setup ## Run 272 real conversations through the whole pipeline and show what comes out
	@$(RUN) undertone demo

up: setup ## Start Kafka, Postgres and the three services; Ctrl-C stops them
	@$(RUN) undertone up

down: setup ## Stop what `make up` started elsewhere
	@$(RUN) undertone down

test: setup ## Everything that must hold: lint, types, import rules, unit, integration, end to end
	@$(MAKE) --no-print-directory --jobs=2 lint tests # types take a minute, and most tests wait rather than compute

tests: setup
	@rm -f .coverage .coverage.*
	@env -u XAI_API_KEY $(RUN) pytest -n $(WORKERS) $(SPREAD) --cov --cov-report=
	@$(RUN) coverage report --fail-under=85
	@echo "The pure cores:" && $(RUN) coverage report --include="$(CORES)" --fail-under=95

lint: setup ## Format, lint, types and import rules
	@$(RUN) ruff format --check --quiet $(CHECKED) || (echo "run: make format"; exit 1)
	@$(RUN) ruff check --quiet $(CHECKED)
	@$(RUN) mypy
	@.venv/bin/lint-imports --no-logo
	@$(RUN) schemas.generate --check
	@$(RUN) undertone.reference --check

unit: setup ## The unit tests alone: seconds
	@$(RUN) pytest -q -n 2 tests/unit

test-containers: setup ## Integration and end-to-end tests on Kafka and Postgres in Docker
	@UNDERTONE_TEST_STACK=containers env -u XAI_API_KEY $(RUN) pytest -q -n $(WORKERS) $(SPREAD) tests/end_to_end tests/integration

test-llm: setup ## The LLM engine against the real endpoint: a few calls, needs XAI_API_KEY, prints the cost
	@$(RUN) benchmarks.llm_contract

bench: setup ## Print the cost figures, each against its reference in the same run
	@$(RUN) benchmarks

hooks: setup ## Run the checks before every commit
	@printf '#!/bin/sh\nexec make --no-print-directory lint unit\n' > "$$(git rev-parse --git-path hooks)/pre-commit"
	@chmod +x "$$(git rev-parse --git-path hooks)/pre-commit" && echo "make lint unit runs before every commit now"

format: setup ## Format the code and mend what can be mended
	@$(RUN) ruff format --quiet $(CHECKED) && $(RUN) ruff check --quiet --fix $(CHECKED)

generate: setup ## Write the files that are derived from the code: snapshots, asyncapi.yaml, reference docs
	@$(RUN) schemas.generate && $(RUN) undertone.reference

lock: setup ## Resolve pyproject.toml into requirements.lock
	@.venv/bin/uv pip compile pyproject.toml --all-extras --group dev --universal --generate-hashes \
		--no-emit-index-url --custom-compile-command "make lock" --quiet -o requirements.lock

clean: ## Remove what the tools leave behind (not .undertone, where your data is)
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage* htmlcov dist build

setup:
	@$(PYTHON) undertone/bootstrap.py
