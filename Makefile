# Needs Python 3.11 or newer, make and the package index; everything else comes from there.
PYTHON = $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN = .venv/bin
EMBEDDED = $(BIN)/python -m salesplatform.embedded
MANAGE = $(EMBEDDED) exec -- $(BIN)/python manage.py
LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11
SCHEMA = docs/api/openapi.yaml
GRAPHQL = docs/api/schema.graphql
EVENTS = docs/api/asyncapi.yaml
export PYTHONUNBUFFERED = 1

.DEFAULT_GOAL = help
.PHONY: help run test check check-django bench format schema commands shell manage lock image clean requirements

help:  ## List the targets
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1\t/p' Makefile | expand -t 18

run: requirements  ## Bring up the whole platform: http://127.0.0.1:8000 (PORT, HOST, DATA_DIR, DEMO=0)
	@$(EMBEDDED) run

test: requirements  ## Run the tests among throw-away servers (ARGS="tests/leads -k import")
	@$(EMBEDDED) test -- $(ARGS)

check: requirements  ## Lint, format, types, imports, migrations and the API description
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy apps salesplatform
	$(BIN)/lint-imports
	@$(EMBEDDED) exec -- $(MAKE) --no-print-directory check-django

check-django:
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run
	@fresh=$$(mktemp) && trap 'rm -f '$$fresh EXIT && \
		$(BIN)/python manage.py spectacular --validate --fail-on-warn --file $$fresh && \
		{ diff -u $(SCHEMA) $$fresh || { echo "$(SCHEMA) is stale: run make schema." >&2; exit 1; }; }
	@fresh=$$(mktemp --suffix=.graphql) && trap 'rm -f '$$fresh EXIT && \
		$(BIN)/python manage.py graphql_schema --out $$fresh > /dev/null && \
		{ diff -u $(GRAPHQL) $$fresh || { echo "$(GRAPHQL) is stale: run make schema." >&2; exit 1; }; }
	@fresh=$$(mktemp) && trap 'rm -f '$$fresh EXIT && \
		$(BIN)/python manage.py asyncapi --file $$fresh && \
		{ diff -u $(EVENTS) $$fresh || { echo "$(EVENTS) is stale: run make schema." >&2; exit 1; }; }

bench: requirements  ## Measure speed and print the ratios to the ceiling
	@$(EMBEDDED) exec -- $(BIN)/python -m benchmarks $(ARGS)

format: requirements  ## Format the code and order the imports
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: requirements  ## Write the API descriptions to docs/api
	$(MANAGE) spectacular --validate --fail-on-warn --file $(SCHEMA)
	$(MANAGE) graphql_schema --out $(GRAPHQL)
	$(MANAGE) asyncapi --file $(EVENTS)

commands: requirements  ## Write the table of commands and doors to docs/commands.md
	$(BIN)/python -m tests.architecture.test_commands

shell: requirements  ## Open a Python shell in the project
	@$(MANAGE) shell

manage: requirements  ## Run a management command (ARGS=createsuperuser)
	@$(MANAGE) $(ARGS)

lock: requirements  ## Compile the lock files anew from requirements/*.in
	for name in bootstrap base production development; do \
		$(LOCK) requirements/$$name.in --output-file requirements/$$name.txt || exit 1; done

image:  ## Build the production image
	docker build --tag salesplatform .

clean:  ## Remove caches and the virtual environment; data in DATA_DIR stays
	rm -rf .venv .mypy_cache .ruff_cache .import_linter_cache .hypothesis staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

requirements:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found." >&2; exit 1; }
	@$(PYTHON) requirements/install.py
