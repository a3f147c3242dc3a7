# `make up` sets everything up and brings the platform up; `make test` sets everything up and runs every test.
# Both need nothing but python3, make and package registries. ARGS="..." is passed on.

SHELL := /bin/bash
.DEFAULT_GOAL := help
ENVIRONMENT := .venv/.synced
PYTHON := .venv/bin/python
UV_VERSION := 0.13.8
# uv from PATH (it reads the lock file and nothing else), else from a small environment of its own in the checkout.
UV := $(shell command -v uv 2>/dev/null || echo .venv-uv/bin/uv)
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.venv-uv/bin:$(PATH)
# Compiled once, in one place and not all over the checkout: the providers' SDKs take seconds to compile.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.pycache
export PYTHONDONTWRITEBYTECODE :=
ARGS ?=
STACK ?= local

.PHONY: help up down test check unit e2e fmt outputs open kubectl preview drift fire-alerts kill-drill check-queries \
	dashboards deploy-dashboards summary cost golden coverage mutants bench bench-middleware load \
	observability docs

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 20

up: $(ENVIRONMENT) ## bring the whole platform up (KUBE_CONTEXT=name uses a cluster of yours)
	@$(PYTHON) -m engine up

preview: $(ENVIRONMENT) ## what `make up` would change; STACK=name another stack, OFFLINE=1 without cluster, account, secrets
	@$(PYTHON) -m engine preview --stack $(STACK) $(if $(OFFLINE),--offline)

drift: $(ENVIRONMENT) ## what is no longer as the last `up` left it (STACK=name); changes nothing, exit code 2 for drift
	@$(PYTHON) -m ops drift --stack $(STACK) $(ARGS)

down: $(ENVIRONMENT) ## remove the local cluster and all that this checkout made
	@$(PYTHON) -m engine down

outputs: $(ENVIRONMENT) ## stack outputs as JSON
	@$(PYTHON) -m engine outputs $(ARGS)

open: $(ENVIRONMENT) ## serve every endpoint on localhost until interrupted
	@$(PYTHON) -m ops open $(ARGS)

kubectl: $(ENVIRONMENT) ## kubectl against the cluster in use, e.g. ARGS="get pods -A"
	@$(PYTHON) -m local kubectl $(ARGS)

fire-alerts: $(ENVIRONMENT) ## make every alert fire and prove that its receivers got it
	@$(PYTHON) -m ops fire-alerts $(ARGS)

kill-drill: $(ENVIRONMENT) ## kill pods of the alert pipeline during firing alerts and count notifications
	@$(PYTHON) -m ops kill-drill $(ARGS)

check-queries: $(ENVIRONMENT) ## run every query of every dashboard and rule against the running stack
	@$(PYTHON) -m ops check-queries $(ARGS)

dashboards: $(ENVIRONMENT) ## draw the dashboards anew into dashboards/rendered/*.json
	@$(PYTHON) -m dashboards

deploy-dashboards: $(ENVIRONMENT) ## dashboards to the Grafana at GRAFANA_URL (with GRAFANA_API_TOKEN); ARGS="--dry-run" shows the difference
	@$(PYTHON) -m ops deploy-dashboards $(ARGS)

summary: $(ENVIRONMENT) ## what a change means for the people who are told, e.g. ARGS="--base origin/main --stack staging"
	@$(PYTHON) -m ops preview-summary $(ARGS)

cost: $(ENVIRONMENT) ## capacity and monthly cost of a stack, e.g. ARGS="--stack production --versus staging"
	@$(PYTHON) -m ops cost $(ARGS)

golden: $(ENVIRONMENT) ## do the stacks' resources have the names of the committed lists? ARGS=--write writes the lists anew
	@$(PYTHON) -m pytest -q tests/golden $(ARGS)

coverage: $(ENVIRONMENT) ## what proves each alert, route and window, as a table
	@$(PYTHON) -m tools.coverage $(ARGS)

mutants: $(ENVIRONMENT) ## change every rule and route a little, and count what the tests notice
	@$(PYTHON) -m local toolchain promtool amtool loki >/dev/null
	@$(PYTHON) -m tools.mutation $(ARGS)

test: $(ENVIRONMENT) check unit ## every check and every test; in CI the cluster is removed afterwards
	@$(MAKE) --no-print-directory e2e; outcome=$$?; \
	if [ -n "$$CI" ]; then $(MAKE) --no-print-directory down; fi; exit $$outcome

check: $(ENVIRONMENT) ## lint, format, types and workflows
	@ruff check .
	@ruff format --check .
	@pyright
	@"$$($(PYTHON) -m local toolchain actionlint | cut -f2)"

unit: $(ENVIRONMENT) ## every test that needs no cluster
	@$(PYTHON) -m local toolchain pulumi pulumi-resource-kubernetes kubectl prometheus promtool alertmanager amtool \
		loki otelcol-contrib jaeger actionlint >/dev/null
	@$(PYTHON) -m pytest -m "not e2e" -n 2 $(ARGS)

e2e: up ## tests against the running local cluster
	@$(PYTHON) -m pytest -m e2e -n 4 --no-loadscope-reorder tests/e2e tests/observability $(ARGS)

bench: up ## times and memory, as tables
	@$(PYTHON) -m ops bench $(ARGS)
	@$(PYTHON) -m instrumentation.bench middleware

bench-middleware: $(ENVIRONMENT) ## what instrumentation costs a request: ours, its peers, none; needs no cluster
	@$(PYTHON) -m instrumentation.bench middleware $(ARGS)

load: $(ENVIRONMENT) ## a steady load on a service with and without instrumentation: table, plot, criteria; needs no cluster
	@$(PYTHON) -m instrumentation.bench load $(ARGS)

observability: $(ENVIRONMENT) ## the tests of a service's telemetry against the running stack (API_URL=http://... another service)
	@$(PYTHON) -m pytest -q tests/observability $(ARGS)

docs: $(ENVIRONMENT) ## draw what follows from the program anew, and build the manual as a site, without a broken link
	@$(PYTHON) -m pytest -q tests/manual --draw $(ARGS)
	@$(PYTHON) -m tools.manual

fmt: $(ENVIRONMENT) ## format, and fix what can be fixed
	@ruff check --fix .
	@ruff format .

$(ENVIRONMENT): uv.lock pyproject.toml
	@command -v $(UV) >/dev/null || (python3 -m venv .venv-uv && .venv-uv/bin/pip install --quiet uv==$(UV_VERSION))
	@$(UV) sync --frozen --quiet
	@touch $@
