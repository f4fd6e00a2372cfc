# Every target is a line or three; what they do is in the scripts they call. `make help` lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' core/nodetide_core/__init__.py)

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

run: ## This machine's metrics, live in the browser (needs nothing but Python)
	@$(PYTHON) hack/bootstrap.py run
	@$(BIN)/nodetide run

test: check ## Everything: lint, types, import contracts, all tests
	@$(BIN)/python hack/test.py

coverage: dev ## The tests, slower, and what of the code they run
	@$(BIN)/python hack/test.py --cov --cov-report=term:skip-covered --cov-report=xml

check: dev ## Lint, format, types, import contracts
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-logo

dev: ## The environment for development
	@$(PYTHON) hack/bootstrap.py dev

test-pythons: dev ## The unit tests on every other supported Python found here
	@$(BIN)/python hack/pythons.py

cluster-test: dev ## A real node with real pods, our images and chart on it (needs root)
	@$(BIN)/python hack/realparts/realparts.py --group cluster --group node --group images influxd alertmanager
	@$(BIN)/python -m pytest tests/cluster

bench: ## Measure beside the peers, in the same run
	@$(PYTHON) hack/bootstrap.py bench
	@$(BIN)/python -m tests.bench

realparts: dev ## Get the real programs that tests and benches run against
	@$(BIN)/python hack/realparts/realparts.py

images: ## Build the images of collector, operator and API (needs Docker)
	@for part in collector operator api; do docker build --file $$part/Dockerfile --tag nodetide-$$part:$(VERSION) . || exit; done

compose-up: ## InfluxDB, collector, API and Grafana on this host (needs Docker)
	@docker compose up --detach --build

compose-down: ## End them; their data stays
	@docker compose down

kind-up: images ## A kind cluster with the chart on it (needs Docker, kind, kubectl, Helm)
	@hack/kind.sh up

kind-test: ## Ask it for data of every node
	@hack/kind.sh test

kind-down: ## Take it away
	@hack/kind.sh down

docs: dev ## Write the generated pages, the CRD, the dashboards, the chart's generated files and manifests/install again
	@for it in hack.docs.generate hack.crd hack.grafana.generate hack.chart; do $(BIN)/python -m $$it || exit; done

lock: ## Renew the lock files (needs uv)
	@hack/lock.sh

clean: ## Remove the environment and caches (never data)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* dist build

.PHONY: help run test coverage check dev test-pythons cluster-test bench realparts images compose-up compose-down kind-up kind-test kind-down docs lock clean
