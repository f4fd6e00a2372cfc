# Every target is a line or three; what they do is in the scripts they call. `make help` lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

run: ## This machine's metrics, live in the browser (needs nothing but Python)
	@$(PYTHON) hack/bootstrap.py run
	@$(BIN)/nodetide run

test: check ## Everything: lint, types, import contracts, all tests with coverage
	@$(BIN)/python hack/test.py

check: dev ## Lint, format, types, import contracts
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-logo

dev: ## The environment for development
	@$(PYTHON) hack/bootstrap.py dev

test-pythons: dev ## The unit tests on every other supported Python found here
	@$(BIN)/python hack/pythons.py

bench: ## Measure beside the peers, in the same run
	@$(PYTHON) hack/bootstrap.py bench
	@$(BIN)/python -m tests.bench

realparts: dev ## Get the real programs that tests and benches run against
	@$(BIN)/python hack/realparts/realparts.py

images: ## Build the images (needs Docker)
	@docker compose build

compose-up: ## InfluxDB, collector, API and Grafana on this host (needs Docker)
	@docker compose up --detach --build

compose-down: ## End them; their data stays
	@docker compose down

docs: dev ## Write the generated pages of docs/, the CRD and the dashboards again
	@$(BIN)/python hack/docs/generate.py && $(BIN)/python hack/crd.py && $(BIN)/python hack/grafana/generate.py

lock: ## Renew the lock files (needs uv)
	@hack/lock.sh

clean: ## Remove the environment and caches (never data)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* dist build

.PHONY: help run test check dev test-pythons bench realparts images compose-up compose-down docs lock clean
