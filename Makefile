# `make up` installs the tools and starts the platform; `make test` installs the tools and runs every test.
# Both need only python3, make and access to package registries. ARGS="..." is passed to the command.

SHELL := /bin/bash
.DEFAULT_GOAL := help
ENVIRONMENT := .venv/.synced
COMPILED_TESTS := .pycache/.tests
PYTHON := .venv/bin/python
UV_VERSION := 0.13.8
# uv from PATH (every version reads the same lock file), else from a small virtual environment in the checkout.
UV := $(shell command -v uv 2>/dev/null || echo .venv-uv/bin/uv)
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.venv-uv/bin:$(PATH)
# One bytecode cache for all commands: the providers' SDKs take seconds to compile.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.pycache
export PYTHONDONTWRITEBYTECODE :=
ARGS ?=
STACK ?= local

.PHONY: up preview open drift down generate docs fmt check check-types check-files unit unit-all test-tools all-test-tools e2e test fire-alerts help help-all outputs \
	kubectl deploy-dashboards check-queries kill-drill attack observability summary replay capture cost golden coverage mutants bench \
	bench-middleware bench-collectors load simulator-image

# `make help` lists the groups marked `##@`. `make help-all` lists those marked `##@@`, too.

##@ Run the platform

up: $(ENVIRONMENT) ## create or update the whole platform; says which cluster it uses (KUBE_CONTEXT=name: yours)
	@$(PYTHON) -m engine up

preview: $(ENVIRONMENT) ## show what `make up` would change; STACK=name, OFFLINE=1 needs no cluster, account or secrets
	@$(PYTHON) -m engine preview --stack $(STACK) $(if $(OFFLINE),--offline)

open: $(ENVIRONMENT) ## serve every endpoint on localhost until interrupted
	@$(PYTHON) -m ops open $(ARGS)

drift: $(ENVIRONMENT) ## list what changed since the last `up` (STACK=name), read only; exit code 2 when there is drift
	@$(PYTHON) -m ops drift --stack $(STACK) $(ARGS)

down: $(ENVIRONMENT) ## remove the local cluster and everything else that this checkout created
	@$(PYTHON) -m engine down

##@ Change it

generate: $(ENVIRONMENT) ## update every generated file: dashboards, rules as deployed, pages, the network picture
	@$(PYTHON) -m tools.generate

docs: $(ENVIRONMENT) ## build the manual as a site; fails on a broken link
	@$(PYTHON) -m tools.manual

fmt: $(ENVIRONMENT) ## format, and apply the linter's fixes
	@ruff check --fix .
	@ruff format .

##@ Prove it

check: $(ENVIRONMENT) ## check lint, format, types, generated files, workflows, and the rules of every stack
	@$(PYTHON) -m local toolchain actionlint >/dev/null
	@$(MAKE) --no-print-directory --jobs=2 check-types check-files

check-types:
	@pyright

check-files:
	@ruff check .
	@ruff format --check .
	@$(PYTHON) -m tools.generate --check
	@$(PYTHON) -m engine.rule_checks
	@"$$($(PYTHON) -m local toolchain actionlint | cut -f2)"

unit: test-tools ## run the tests that need no cluster and no minutes; `make test` runs the slow ones too
	@$(PYTHON) -m pytest -m "not (e2e or slow or nightly)" -n 3 --no-loadscope-reorder $(ARGS)

test-tools: $(ENVIRONMENT)
	@$(PYTHON) -m local toolchain pulumi pulumi-resource-kubernetes kubectl prometheus promtool alertmanager amtool \
		loki otelcol-contrib jaeger actionlint pint replay-routes replay-rules >/dev/null

all-test-tools: test-tools
	@$(PYTHON) -m local toolchain etcd kube-apiserver crane >/dev/null

e2e: up ## run the tests that need the local cluster
	@$(PYTHON) -m pytest -m "e2e and not nightly" -n 3 --no-loadscope-reorder tests/e2e tests/observability $(ARGS)

# Checks run while the platform's pods start. Tests without a cluster run while tests on the cluster wait.
test: all-test-tools ## run every check and every test; in CI, remove the cluster afterwards
	@$(MAKE) --no-print-directory --jobs=3 check-types check-files up $(COMPILED_TESTS) && \
	$(PYTHON) -m pytest -m "not nightly" -n 5 --no-loadscope-reorder $(ARGS); outcome=$$?; \
	if [ -n "$$CI" ]; then $(MAKE) --no-print-directory down; fi; exit $$outcome

fire-alerts: $(ENVIRONMENT) ## make every alert fire and prove that its receivers were notified
	@$(PYTHON) -m ops fire-alerts $(ARGS)

##@ Help

help: ## list the targets that are used every day
	@awk -v all=$(ALL) 'BEGIN {FS = ":.*## "} \
		/^##@@? / {shown = !/^##@@ / || all; if (shown) {sub(/^##@+ /, ""); printf "\n%s\n", $$0}; next} \
		shown && /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

help-all: ## list every target
	@$(MAKE) --no-print-directory help ALL=1

##@@ A running stack

outputs: $(ENVIRONMENT) ## print the stack outputs as JSON
	@$(PYTHON) -m engine outputs $(ARGS)

kubectl: $(ENVIRONMENT) ## run kubectl against the cluster in use, e.g. ARGS="get pods -A"
	@$(PYTHON) -m local kubectl $(ARGS)

simulator-image: $(ENVIRONMENT) ## push the simulator's image for a cluster of yours: PUSH=registry/name
	@$(PYTHON) -m local simulator-image --push "$(PUSH)"

deploy-dashboards: $(ENVIRONMENT) ## upload dashboards to GRAFANA_URL (with GRAFANA_API_TOKEN); ARGS="--dry-run" shows the diff
	@$(PYTHON) -m ops deploy-dashboards $(ARGS)

check-queries: $(ENVIRONMENT) ## run every query of every dashboard and rule against the running stack
	@$(PYTHON) -m local toolchain pint >/dev/null
	@$(PYTHON) -m ops check-queries $(ARGS)

kill-drill: $(ENVIRONMENT) ## kill pods of the alert pipeline while alerts fire, and count the notifications
	@$(PYTHON) -m ops kill-drill $(ARGS)

attack: $(ENVIRONMENT) ## attack the running stack from pods without rights, beside an innocent one
	@$(PYTHON) -m ops attack $(ARGS)

observability: $(ENVIRONMENT) ## test a service's telemetry on the running stack (API_URL=http://... for another service)
	@$(PYTHON) -m pytest -q tests/observability $(ARGS)

##@@ Before a change is merged

unit-all: all-test-tools ## run every test that needs no cluster, the slow ones included
	@$(PYTHON) -m pytest -m "not (e2e or nightly)" -n 3 --no-loadscope-reorder $(ARGS)

summary: $(ENVIRONMENT) ## show how a change affects notifications, e.g. ARGS="--base origin/main --stack staging"
	@$(PYTHON) -m ops preview-summary $(ARGS)

replay: $(ENVIRONMENT) ## show who would have been notified by a change, from recorded data; ARGS="--stack staging --from 30d"
	@$(PYTHON) -m local toolchain replay-routes replay-rules >/dev/null
	@$(PYTHON) -m ops replay $(ARGS)

capture: $(ENVIRONMENT) ## keep what the rules read of an incident, for a test; ARGS="--stack staging --from 2026-11-28T14:00"
	@$(PYTHON) -m local toolchain replay-rules >/dev/null
	@$(PYTHON) -m ops capture $(ARGS)

cost: $(ENVIRONMENT) ## estimate a stack's capacity and monthly cost, e.g. ARGS="--stack production --versus staging"
	@$(PYTHON) -m ops cost $(ARGS)

golden: $(ENVIRONMENT) ## check that resource names match tests/golden/*.txt; ARGS=--write updates the lists
	@$(PYTHON) -m tools.golden $(ARGS)

coverage: $(ENVIRONMENT) ## list the proofs of each alert, route and mute window as a table
	@$(PYTHON) -m tools.coverage $(ARGS)

mutants: $(ENVIRONMENT) ## make small mistakes in every rule and route, and count those that the tests notice
	@$(PYTHON) -m local toolchain promtool amtool loki >/dev/null
	@$(PYTHON) -m tools.mutation $(ARGS)

##@@ Measurements

bench: up ## measure times and memory of the local platform
	@$(PYTHON) -m ops bench $(ARGS)
	@$(PYTHON) -m instrumentation.bench middleware
	@$(PYTHON) -m tools.bench_collectors
	@$(PYTHON) -m tools.bench_bounds
	@$(PYTHON) -m tools.bench_rules
	@$(PYTHON) -m local toolchain replay-routes replay-rules >/dev/null
	@$(PYTHON) -m tools.bench_replay

bench-middleware: $(ENVIRONMENT) ## measure the cost of instrumentation per request: ours, its peers, none; needs no cluster
	@$(PYTHON) -m instrumentation.bench middleware $(ARGS)

bench-collectors: $(ENVIRONMENT) ## measure spans and log lines per second of a core, through agent and gateway; needs no cluster
	@$(PYTHON) -m local toolchain otelcol-contrib >/dev/null
	@$(PYTHON) -m tools.bench_collectors $(ARGS)

load: $(ENVIRONMENT) ## run a steady load on a service with and without instrumentation; needs no cluster
	@$(PYTHON) -m instrumentation.bench load $(ARGS)

$(ENVIRONMENT): uv.lock pyproject.toml
	@command -v $(UV) >/dev/null || (python3 -m venv .venv-uv && .venv-uv/bin/pip install --quiet uv==$(UV_VERSION))
	@$(UV) sync --frozen --quiet
	@touch $@

# All processes of a test run start at once. Without this step, each of them compiles every changed test.
$(COMPILED_TESTS): $(ENVIRONMENT) $(shell find tests instrumentation/tests -name '*.py')
	@$(PYTHON) -m pytest --collect-only -qq >/dev/null 2>&1 || true # the test run shows the errors
	@mkdir -p $(@D) && touch $@
