# `make demo` and `make test` are all that a newcomer needs; `make help` lists the rest.

# The first Python that is new enough; set PYTHON=/path/to/python3 to choose another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
BIN = .venv/bin
STAMP = .venv/.installed
# Tests start many programs: what they import is compiled once, whatever the shell says.
TIMED = PYTHONDONTWRITEBYTECODE= $(BIN)/python scripts/timed.py
PIP = $(BIN)/python -m pip --disable-pip-version-check --no-input -qq

DEMO_CONTACTS ?= 25000
DEMO_DATE ?=
ON_DATE = $(if $(DEMO_DATE),--as-of $(DEMO_DATE))

# What `make bench` has found: BASELINE=write makes it what later ones are compared with.
RATIOS = dist/bench_ratios.json
BASELINE ?=

# The bucket of Terraform's state, the values of its variables, and what it means to do.
STATE_BUCKET ?=
TFVARS ?= infra/terraform.tfvars
STATE_PREFIX ?= almanac
PLAN = $(CURDIR)/dist/almanac.tfplan

.PHONY: help setup demo emulate test check format bench simulate archives archives-check \
	infra-check infra-scan infra-plan infra-apply flow diagrams lock snapshots zip-table clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' Makefile | expand -t 14

setup: $(STAMP) ## make .venv with everything in requirements.lock, and `almanac` in it
	@:

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Almanac needs Python 3.11 or newer: none found (make PYTHON=/path/to/python3)" >&2; exit 1; }
	@echo "Setting up .venv (half a minute, only when the requirements have changed)"
	@$(PYTHON) -m venv --clear .venv
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP) ## an agency in ./demo as of today (DEMO_DATE=2026-11-21), planned, with its report
	@rm -rf demo && mkdir demo
	@$(BIN)/almanac generate demo/agency.sqlite3 --contacts $(DEMO_CONTACTS) --seed 1 $(ON_DATE)
	@$(BIN)/almanac run demo/agency.sqlite3 $(ON_DATE) --report demo/report.html

emulate: $(STAMP) ## the whole cloud on this machine, from one run to the next (ARGS="--keep" to stay)
	@$(BIN)/almanac emulate $(ARGS)

test: $(STAMP) ## the quick tests (ARGS="-k window" to choose)
	@$(TIMED) $(BIN)/python -m pytest -n auto --dist loadfile --durations=10 $(ARGS)

simulate: $(STAMP) ## the slow tests: whole years, all seeds, all crash points
	@$(TIMED) $(BIN)/python -m pytest -m "slow or hypothesis" --hypothesis-profile=thorough $(ARGS)

check: $(STAMP) ## format, lint, types, imports
	@$(BIN)/ruff format --check -q . || { $(BIN)/ruff format --check .; exit 1; }
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy --no-error-summary
	@out=$$($(BIN)/lint-imports 2>&1) || { echo "$$out"; exit 1; }
	@echo "Format, lint, types and imports are in order"

archives: $(STAMP) ## what the functions are deployed from, in dist/functions
	@$(BIN)/python scripts/build_archives.py

archives-check: $(STAMP) ## the archives by themselves: installed, started, a run (needs the network)
	@$(BIN)/python -m pytest -m network tests/infra $(ARGS)

infra-check: $(STAMP) ## format of the Terraform, `terraform validate`, and its tests
	@test -z "$(TFCHECK)" || $(BIN)/python -c 'import grpc, msgpack' 2>/dev/null || $(PIP) install msgpack
	@$(BIN)/python scripts/check_infra.py

infra-scan: ## the Terraform by checkov, in a venv of its own (.venv-checkov)
	@test -x .venv-checkov/bin/checkov || { $(PYTHON) -m venv .venv-checkov && \
		.venv-checkov/bin/python -m pip --disable-pip-version-check --no-input -qq install 'checkov>=3.3.30'; }
	@.venv-checkov/bin/checkov --config-file infra/.checkov.yaml -d infra

infra-plan: archives ## what Terraform would change (STATE_BUCKET=..., TFVARS=..., STATE_PREFIX=almanac)
	@test -n "$(STATE_BUCKET)" || { echo "STATE_BUCKET is not set: the bucket of Terraform's state (docs/operations.md)" >&2; exit 1; }
	@printf 'terraform {\n  backend "gcs" {}\n}\n' > infra/backend_override.tf
	terraform -chdir=infra init -input=false -reconfigure -backend-config=bucket=$(STATE_BUCKET) -backend-config=prefix=$(STATE_PREFIX)
	terraform -chdir=infra plan -input=false -lock=false -var-file=$(abspath $(TFVARS)) -out=$(PLAN)

infra-apply: ## do what the last `make infra-plan` has shown, and nothing else
	@test -f "$(PLAN)" || { echo "There is no plan: run make infra-plan first, and read it" >&2; exit 1; }
	terraform -chdir=infra apply -input=false $(PLAN)
	@rm $(PLAN)

format: $(STAMP) ## format the code and sort its imports
	@$(BIN)/ruff check -q --fix --select I .
	@$(BIN)/ruff format -q .

bench: $(STAMP) ## time and memory of runs, cold starts, and what became slower (ARGS="25000", BASELINE=write)
	@rm -f $(RATIOS)
	@$(BIN)/python -m scripts.bench $(ARGS) --ratios $(RATIOS)
	@$(BIN)/python -m scripts.bench_balancing --ratios $(RATIOS)
	@slow=0; $(BIN)/python -m scripts.bench_cold_start --ratios $(RATIOS) || slow=1; \
		$(BIN)/python -m scripts.bench_ratios $(RATIOS) $(if $(filter write,$(BASELINE)),--write-baseline) \
		&& exit $$slow

flow: $(STAMP) ## the program as a page in dist/flow (ARGS="--serve" to look at it)
	@$(BIN)/python scripts/flow shared/almanac shared/almanac_emulation functions scripts -o dist/flow $(ARGS)

diagrams: $(STAMP) ## the diagrams of docs/architecture.md, as the imports are now
	@$(BIN)/python scripts/flow shared/almanac --diagrams docs/architecture.md

lock: $(STAMP) ## update the versions in requirements.lock and those of the functions
	@$(PIP) install 'pip>=25.1' && $(PIP) install --group lock
	@$(BIN)/uv pip compile pyproject.toml --extra cloud --group dev --universal --python-version 3.11 \
		--fork-strategy fewest --generate-hashes --no-annotate --upgrade -q \
		--custom-compile-command "make lock" -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra cloud --universal --python-version 3.11 \
		--fork-strategy fewest --generate-hashes --no-annotate --constraint requirements.lock -q \
		--custom-compile-command "make lock" -o functions/requirements.txt

snapshots: $(STAMP) ## rewrite the windows of every state and rule set, for review
	@$(BIN)/python scripts/snapshot_windows.py
	@$(BIN)/python scripts/snapshot_rules.py

zip-table: $(STAMP) ## rebuild the table from ZIP codes to states and zones
	@$(PIP) install 'pip>=25.1' && $(PIP) install --upgrade --group zip-table
	@$(BIN)/python scripts/build_zip_table.py

clean: ## remove .venv, the demo and all caches
	@rm -rf .venv .venv-checkov demo dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
