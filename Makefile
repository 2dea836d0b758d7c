# Everything a person does here is one of these words.
.DEFAULT_GOAL := help
.PHONY: help setup web run test test-long check check-python check-pages format chart dashboards openapi bench bench-live bench-patterns bench-predictions bench-scale lock pictures clean

# Python reads its compiled files everywhere and writes them here, whatever the shell says: without them a gateway
# takes three times as long to start, and tests start dozens.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
NAB ?= ../shared/bench/nab
VENV   := .venv
BIN    := $(VENV)/bin
PACKAGES := libs/common libs/detection libs/sdk-python libs/admin libs/dev services/gateway services/processor services/notifier services/analytics services/scheduler
STAMP  := $(VENV)/.installed
NPM    := libs/sdk-typescript/npm
NODE_PACKAGES := libs/sdk-typescript/client libs/sdk-typescript/react services/gateway/dashboard
NODE_STAMP := node_modules/.installed
PAGES  := services/gateway/src/convex_gateway/dashboard/built/index.html
WEB_SOURCES := $(shell find $(NODE_PACKAGES) -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/tests/*' 2>/dev/null)
# One more than there are processors, for tests spend a third of their time waiting for processes; at most four.
WORKERS = $(shell $(PYTHON) -c 'import os; print(min(4, (os.cpu_count() or 1) + 1))')
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
OWN := $(patsubst %,--no-emit-package convex-%,common detection alerts admin dev gateway processor notifier analytics scheduler)

help: ## these words
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements.lock $(PACKAGES:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: PYTHON=/path/to/python3.11 make"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is needed (Debian: apt-get install python3-venv)"; exit 1; }
	@test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv; }
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(PACKAGES:%=-e %)
	@touch $@

setup: $(STAMP) ## the virtual environment, from requirements.lock

$(NODE_STAMP): package.json package-lock.json .npmrc $(NODE_PACKAGES:%=%/package.json) | $(STAMP)
	@$(NPM) ci --silent
	@touch $@

$(PAGES): $(NODE_STAMP) $(WEB_SOURCES)
	@$(NPM) run --silent build --workspace @convex-alerts/dashboard -- --logLevel warn

web: $(PAGES) ## the dashboard, built for the gateway to serve

run: $(STAMP) $(PAGES) ## the whole product on this machine with demo data; Ctrl-C stops it
	@exec $(BIN)/convex dev up

# Files are handed out in their order: whole installations first, unit tests last, so that workers end together.
test: $(STAMP) $(PAGES) ## the test suite that CI runs
	@$(BIN)/pytest -m "not long" -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-long: $(STAMP) $(PAGES) ## chaos at full length, soaks, fuzz
	@$(BIN)/pytest -m long --timeout 3600 $(ARGS)

check: $(STAMP) ## style, types, import rules
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target check-python check-pages

check-python: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy $(PACKAGES:%=%/src) charts/describe.py charts/dashboards tests
	@$(BIN)/lint-imports

check-pages: $(NODE_STAMP)
	@$(BIN)/python charts/describe.py --check
	@$(BIN)/python -m convex_gateway.describe | $(NPM) run --silent --workspace @convex-alerts/client openapi -- --check || { echo "the SDK's types are out of date: run make openapi"; exit 1; }
	@$(NPM) run --silent check

format: $(STAMP) $(NODE_STAMP) ## mend style
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(NPM) run --silent format

dashboards: $(STAMP) ## write the chart's Grafana dashboards from charts/dashboards/
	@$(BIN)/python -m charts.dashboards

chart: $(STAMP) ## the chart's README and schema, from its values.yaml
	@$(BIN)/python charts/describe.py

openapi: $(STAMP) $(NODE_STAMP) ## the TypeScript SDK's types, from the gateway's description of its API
	@$(BIN)/python -m convex_gateway.describe | $(NPM) run --silent --workspace @convex-alerts/client openapi

pictures: $(STAMP) $(PAGES) ## the documents' pictures of the dashboard, taken in a browser
	@CONVEX_PICTURES=$(CURDIR)/docs/images $(BIN)/pytest -q -n 0 tests/e2e/browser/test_pictures.py

bench: $(STAMP) ## measure speed beside the peers
	@$(BIN)/python -m tests.bench $(ARGS)

bench-live: $(STAMP) $(PAGES) ## measure the live feed beside stock servers and the limit, and in a browser
	@$(BIN)/python -m tests.bench.live $(ARGS)

bench-detection: $(STAMP) ## how well the detector finds what people labelled, where NAB names such a folder
	@$(BIN)/python -m tests.bench.detection --data $(NAB) $(ARGS)

bench-patterns: $(STAMP) ## what pattern detection finds of what was planted, and where nothing is
	@$(BIN)/python -m tests.bench.patterns $(ARGS)

bench-predictions: $(STAMP) ## how good predictions are over simulated months, beside plain rates
	@$(BIN)/python -m tests.bench.predictions $(ARGS)

bench-scale: $(STAMP) ## what an alert costs by stage, and a model of larger loads
	@$(BIN)/python -m tests.bench.scale $(ARGS)

lock: ## resolve requirements*.lock anew: development, the image, what builds it
	@test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv; }
	@printf '%s\n' $(PACKAGES:%=./%) | $(COMPILE) $(OWN) pyproject.toml - -o requirements.lock
	@printf '%s\n' $(filter-out ./libs/dev,$(PACKAGES:%=./%)) './services/analytics[model]' | $(COMPILE) $(OWN) -c requirements.lock - -o requirements-image.lock
	@$(COMPILE) -c requirements.lock --group image -o requirements-build.lock

clean: ## the virtual environment, node_modules, data and caches
	rm -rf $(VENV) node_modules .convex .tools .mypy_cache .ruff_cache .hypothesis .import_linter_cache
