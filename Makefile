# Every command of the project; scripts/ holds what they do.

PROFILE ?= small
SCENARIO ?= lab
KILLS ?= 20
SEED ?=
# Further arguments for every ansible-playbook of `make up`, e.g. ARGS="-e network_plugin=flannel"
ARGS ?=
# Parts that `make bench` measures: bundle install rerun fifty worker monitoring floor apply gateway mesh; all when empty
ONLY ?=

PYTHON := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help up down clean test lint unit controllers bundle contract prometheus molecule kills bench docs

help: ## Show this
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20

up: ## Make bundle, hosts and platform on this machine (PROFILE=small or ha)
	@scripts/bootstrap --lab
	@$(PYTHON) scripts/lab.py up --profile $(PROFILE) -- $(ARGS)

down: ## Remove what `make up` made; the caches stay
	@scripts/bootstrap
	@$(PYTHON) scripts/lab.py down

clean: ## Remove that and the caches
	@scripts/bootstrap
	@$(PYTHON) scripts/lab.py clean

test: ## Run everything that CI runs
	@scripts/bootstrap --lab
	@$(PYTHON) scripts/check.py all

lint: ## Check style, types, documentation and the built collection
	@scripts/bootstrap
	@$(PYTHON) scripts/check.py lint

unit: ## Run the unit tests
	@scripts/bootstrap
	@$(PYTHON) scripts/check.py unit

controllers: ## Read the collection and run the unit tests with older versions of ansible-core; make an execution environment
	@scripts/bootstrap
	@$(PYTHON) scripts/check.py controllers

bundle: ## Make the bundle of all artifacts, or complete it
	@scripts/bootstrap --lab
	@$(PYTHON) scripts/lab.py bundle

contract: ## Run modules against a real registry and a real API server out of the bundle
	@scripts/bootstrap
	@$(PYTHON) scripts/check.py contract

prometheus: ## Prove every alert with promtool, firing and not
	@scripts/bootstrap
	@$(PYTHON) scripts/check.py prometheus

molecule: ## Run one scenario (SCENARIO=lab)
	@scripts/bootstrap --lab
	@$(PYTHON) scripts/check.py molecule/$(SCENARIO)

kills: ## Kill what makes the cluster, KILLS times (20); one more run must converge (SEED=word repeats)
	@scripts/bootstrap --lab
	@$(PYTHON) scripts/kills.py --kills $(KILLS) $(if $(SEED),--seed $(SEED))

bench: ## Measure what the README promises, on hosts of its own (ONLY="floor worker": these parts); writes bench/results.json
	@scripts/bootstrap --lab
	@$(PYTHON) scripts/bench.py $(addprefix --only ,$(ONLY))

docs: ## Write the generated parts of the documentation
	@scripts/bootstrap
	@$(PYTHON) scripts/render_docs.py
