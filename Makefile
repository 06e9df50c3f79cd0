# Every target sets up what it needs in this checkout and nothing outside it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
TERRAFORM ?= terraform
VENV := .venv
BIN := $(VENV)/bin
UV := $(VENV)/uv/bin/uv
ARGS ?=

# A file's or a folder's name for the shell, whatever is in it.
quoted = '$(subst ','\'',$(1))'

# What a recipe has half made goes when it fails, or the next run would take it for whole.
.DELETE_ON_ERROR:

export PYTHONPATH := functions:.
export TERRAFORM

.PHONY: help
help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# A stamp holds the lock file it was installed from, so a second run costs nothing.
$(VENV)/bin/python:
	@command -v $(call quoted,$(PYTHON)) > /dev/null || { \
	echo 'Python 3.11 or newer is needed, and there is no $(PYTHON): infra/local/README.md says how to get it' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Python 3.11 or newer is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/local.stamp: infra/requirements.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/test.stamp: tests/requirements.txt $(VENV)/local.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# checkov pins libraries that the product pins otherwise: a lock and an environment of its own.
$(VENV)/checkov.stamp: terraform/requirements.txt | $(UV)
	$(PYTHON) -m venv $(VENV)/checkov
	$(UV) pip install --quiet --python $(VENV)/checkov/bin/python --require-hashes -r $<
	@touch $@

# The bench's peers, likewise: nothing of the product depends on them.
$(VENV)/bench.stamp: tests/bench/requirements.txt | $(UV)
	$(PYTHON) -m venv $(VENV)/bench
	$(UV) pip install --quiet --python $(VENV)/bench/bin/python --require-hashes -r $<
	@touch $@

# Schemas of other hands, for tests/erp: the tables are theirs, and nothing of the code is imported.
SCHEMAS := $(patsubst tests/erp/schemas/%.txt,$(VENV)/schemas/%.stamp,$(wildcard tests/erp/schemas/*.txt))
$(VENV)/schemas/%.stamp: tests/erp/schemas/%.txt | $(UV)
	$(UV) venv --quiet --clear --python $(BIN)/python $(VENV)/schemas/$*
	$(UV) pip install --quiet --python $(VENV)/schemas/$*/bin/python --require-hashes -r $<
	@touch $@

# The operator's command, for this checkout; it stays out of the packages' folder (see the module).
$(BIN)/smartlink: infra/cli/install.py $(VENV)/local.stamp
	@$(BIN)/python -m infra.cli.install $@

.PHONY: demo
demo: $(BIN)/smartlink ## Run the product on 60 TPD requests and show what became of them (ARGS=--json)
	@$(BIN)/python -m infra.local demo $(ARGS)

.PHONY: local
local: $(BIN)/smartlink ## Keep the local stack up until Ctrl-C
	@$(BIN)/python -m infra.local up $(ARGS)

.PHONY: consumer
consumer: $(VENV)/test.stamp ## Write a new command's files (COMMAND=XyzCommand ARGS="--personal --erp --timeout 60")
	@$(BIN)/python -m infra.authors consumer $(call quoted,$(or $(COMMAND),$(error Name it: make consumer COMMAND=XyzCommand))) $(ARGS)

.PHONY: try
try: $(VENV)/local.stamp ## Run one message through one consumer (COMMAND=XyzCommand FILE=payload.json)
	@$(BIN)/python -m infra.authors try $(call quoted,$(or $(COMMAND),$(error Name it: make try COMMAND=XyzCommand FILE=payload.json))) $(call quoted,$(or $(FILE),$(error Name its payload: make try COMMAND=$(COMMAND) FILE=payload.json))) $(ARGS)

.PHONY: schemas
schemas: $(VENV)/test.stamp ## Bring the payloads' contracts in infra/schemas up to date
	@$(BIN)/python -m infra.authors schemas $(ARGS)

.PHONY: texts
texts: $(VENV)/local.stamp ## Bring the catalogues of what operators read up to date
	@$(BIN)/python -m infra.catalogues

# Two halves of about equal length side by side, on two cores. What is named here is the first; the
# second is all the rest, so that no folder can be left out.
FIRST := $(addprefix tests/,acceptance authors chaos cli console contract entrypoints guide hostile \
	poison secrets terraform)

.PHONY: test
test: check $(VENV)/checkov.stamp $(SCHEMAS) ## Check, then run every test (ARGS="tests/unit -k retry": some)
ifeq ($(strip $(ARGS)),)
	@$(BIN)/python -m pytest -q $(FIRST) & first=$$!; failed=0; \
	$(BIN)/python -m pytest -q $(FIRST:%=--ignore=%) || failed=$$?; \
	wait $$first || failed=$$?; exit $$failed
else
	$(BIN)/python -m pytest -q $(ARGS)
endif

.PHONY: fast
fast: $(VENV)/test.stamp ## Lint, then what a change breaks first: unit, scenarios, entry points (a minute)
	@$(BIN)/ruff check .
	@$(BIN)/python -m pytest -q tests/unit $(ARGS) & unit=$$!; failed=0; \
	$(BIN)/python -m pytest -q tests/scenarios tests/entrypoints $(ARGS) || failed=$$?; \
	wait $$unit || failed=$$?; exit $$failed

# The data on known faults is asked over the network; without it, that is said, and is no failure.
.PHONY: audit
audit: $(VENV)/test.stamp ## Look for known faults in what is locked, and for licences nobody has judged
	@$(BIN)/python -m tests.project.licences
	@$(BIN)/python -m tests.project.faults

.PHONY: check
check: $(VENV)/test.stamp $(BIN)/smartlink ## Lint, format, types, import fences, Terraform's format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if command -v $(call quoted,$(TERRAFORM)) > /dev/null; then $(call quoted,$(TERRAFORM)) fmt -check -recursive terraform; \
	else echo "Skipped: terraform fmt, as there is no $(TERRAFORM)"; fi

.PHONY: format
format: $(VENV)/test.stamp ## Format the code and fix what can be fixed automatically
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

SEED ?=
RUNS ?=
PAIRS ?=
DRAWN = $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS)) $(ARGS)

.PHONY: simulate
simulate: $(VENV)/test.stamp ## Run the relay through RUNS drawn schedules of faults, from SEED on (PAIRS=1: every pair)
	@$(BIN)/python -m tests.simulation $(if $(PAIRS),--pairs) $(DRAWN)

.PHONY: mutants
mutants: $(VENV)/test.stamp ## Break the relay in RUNS places drawn by SEED: do the tests notice? (ARGS=--survivors)
	@$(BIN)/python -m tests.mutants $(DRAWN)

.PHONY: chaos
chaos: $(VENV)/test.stamp ## Kill functions and break the network under load; the books must balance
	@$(BIN)/python -m tests.chaos $(ARGS)

.PHONY: bench
bench: $(VENV)/test.stamp $(VENV)/bench.stamp ## Measure against per-message code, the limit and the peers; JSON in .bench/
	@$(BIN)/python -m tests.bench.peers.install
	@$(BIN)/python -m tests.bench $(ARGS)

# Counts that a busy machine does not change; `make test` checks the same.
.PHONY: bench-check
bench-check: $(VENV)/test.stamp ## The bench's short form: operations, calls and memory a message (ARGS=--renew)
	@$(BIN)/python -m tests.bench.check $(ARGS)

# uv compiles one lock for every platform and Python that the project supports.
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header

$(UV): | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/uv
	$(VENV)/uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'

.PHONY: lock
lock: $(UV) ## Compile the lock files from pyproject.toml
	$(LOCK) pyproject.toml -o functions/requirements.txt
	$(LOCK) pyproject.toml --extra local -c functions/requirements.txt -o infra/requirements.txt
	$(LOCK) pyproject.toml --extra local --extra test -c infra/requirements.txt -o tests/requirements.txt
	$(LOCK) infra/simulator/requirements.in -c infra/requirements.txt -o infra/simulator/requirements.txt
	$(LOCK) terraform/requirements.in -o terraform/requirements.txt
	$(LOCK) tests/bench/requirements.in -o tests/bench/requirements.txt
	for of in oscar pretalx tryton; do $(LOCK) tests/erp/schemas/$$of.in -o tests/erp/schemas/$$of.txt; done

# Checks first (credentials, project, rights), then Terraform; see terraform/README.md.
DEPLOY = $(BIN)/python -m infra.deploy $@ $(or $(ENV),$(error Say where: make $@ ENV=development)) \
	$(if $(PROJECT),--project $(PROJECT)) $(ARGS)

.PHONY: plan
plan: $(VENV)/local.stamp ## Show what a deployment would change (ENV=development)
	@$(DEPLOY)

.PHONY: deploy
deploy: $(VENV)/local.stamp ## Deploy to Google Cloud, after showing the plan (ENV=development)
	@$(DEPLOY)

.PHONY: destroy
destroy: $(VENV)/local.stamp ## Remove everything from Google Cloud (ENV=development)
	@$(DEPLOY)

.PHONY: accept
accept: $(BIN)/smartlink ## Ask Google whether what this project assumes holds (ENV=development ARGS="--report .")
	@$(BIN)/smartlink $(if $(PROJECT),--project $(PROJECT)) accept \
		--of $(or $(ENV),$(error Say where: make $@ ENV=development)) $(ARGS)

.PHONY: clean
clean: ## Remove what make made
	rm -rf $(VENV) .local .bench .mutants .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
