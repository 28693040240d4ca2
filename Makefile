# Quintet. `make demo` shows it, `make test` checks it; both set up everything they need in .venv.
# GNU make 4.3, Python 3.11 or newer (another one: make PYTHON=python3.12 ...). QUINTET_* settings pass through.

PYTHON ?= python3
# How many processes run the tests side by side.
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SPARK := $(VENV)/.spark

# sam and botocore ask for a region even where nothing is called; telemetry and the metadata service only cost time.
export AWS_DEFAULT_REGION ?= us-east-1
export SAM_CLI_TELEMETRY := 0
export AWS_EC2_METADATA_DISABLED := true
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo run test test-long bench lint lint-python lint-template build openapi lock clean setup spark

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## a real workflow on the local cloud, start to end
	@$(BIN)/quintet demo

run: $(READY) ## the server in the foreground (QUINTET_PORT, QUINTET_HOME, QUINTET_API_KEY)
	@$(BIN)/quintet run

test: lint $(SPARK) ## everything that CI checks
	$(BIN)/pytest -n $(JOBS) --dist loadfile

test-long: $(READY) ## the campaigns of minutes: 10,000 simulated histories and the like
	$(BIN)/pytest -m long

bench: $(READY) ## the measured promises, printed
	$(BIN)/python -m benchmarks

lint: lint-python lint-template ## style, types, layers, template

lint-python: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	MYPYPATH=functions/runner $(BIN)/mypy layers/core/python cli functions
	$(BIN)/lint-imports

lint-template: $(READY)
	$(BIN)/sam validate --lint

build: $(READY) ## what `sam deploy` sends to AWS (docs/deploy.md)
	find functions layers/core \( -name __pycache__ -o -name .mypy_cache -o -name .ruff_cache \) -prune -exec rm -rf {} +
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/sam build

openapi: $(READY) ## writes the committed OpenAPI documents anew
	$(BIN)/python -m quintet.dialects.automations.openapi > docs/openapi/automations.json
	$(BIN)/python -m quintet.dialects.etl.openapi > docs/openapi/etl.json
	$(BIN)/python -m quintet.dialects.jobs.openapi > docs/openapi/jobs.json

# --- setting up -----------------------------------------------------------------------------------------------------

setup: $(READY) ## .venv from the lock, and nothing more

spark: $(SPARK) ## PySpark into .venv, for Spark jobs in the local cloud: 340 MB (it needs Java too)

# Apart from the rest, since nothing else needs it.
$(SPARK): requirements/spark.txt $(READY)
	@echo 'Adding PySpark to .venv (once, 340 MB)'
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements/spark.txt || \
	  $(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements/spark.txt
	@touch $@

# The stamp is written last: an interrupted installation is done again. pip installs uv, from the lock and by its hash,
# and uv the rest in a third of pip's time; where uv finds no index (only pip is configured for a mirror), pip does it.
# (The lock is complete; without --no-deps, pip takes an extra that a package asks for as a requirement without a hash.)
$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo 'Quintet needs Python 3.11 or newer; $(PYTHON) is' "$$($(PYTHON) --version 2>/dev/null | head -n 1 | grep '^Python' || echo 'missing or none')." \
	    'Name another one with: make PYTHON=python3.12 ...' >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo 'Python cannot make virtual environments here: install python3-venv (sudo apt-get install python3-venv).' >&2; exit 2; }
	@echo 'Setting up .venv (once, about a minute)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements/dev.txt > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement $(VENV)/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements/dev.txt || \
	  $(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --universal

lock: ## writes the locks anew from pyproject.toml
	$(LOCK) pyproject.toml --extra sql --extra local --extra dev --output-file requirements/dev.txt
	$(LOCK) pyproject.toml --output-file layers/deps/requirements.txt
	echo 'pyspark>=3.5,<3.6' | $(LOCK) - --output-file requirements/spark.txt
	echo duckdb | $(LOCK) - --constraint requirements/dev.txt --output-file layers/duckdb/requirements.txt

clean: ## all that can be made again; the data in .quintet stays
	rm -rf $(VENV) .aws-sam build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . -name '*.egg-info' -prune -exec rm -rf {} +
