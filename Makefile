# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
STAMP := $(VENV)/.stamp
LAB := tests/lab/lab

export PATH := $(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PYTHONDONTWRITEBYTECODE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONPATH ANSIBLE_COLLECTIONS_PATH

.PHONY: help deps venv demo demo-down test test-unit test-conformance test-chaos chaos fuzz test-sanity test-molecule test-e2e lint fmt build docs bench clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

deps: ## Install the Debian packages of requirements/apt.txt that are missing
	@scripts/deps

venv: $(STAMP) ## Make .venv with every tool and the project itself

$(STAMP): pyproject.toml requirements/runtime.txt requirements/dev.txt | deps
	@scripts/venv $(VENV)
	@touch $@

demo: venv ## Build the lab, run playbooks/site.yml against it and show that it works
	@$(LAB) up
	@ansible-playbook -i inventories/lab playbooks/site.yml -e '{"arca_dns_serial": ["100%"]}'
	@$(BIN)/python tests/demo/show.py

demo-down: venv ## Remove every trace of the demo
	@$(LAB) down --purge
	@rm -rf build .cache/ansible

test: venv ## Run every test there is: the quick ones first
	@scripts/run-tests lint test-unit test-conformance test-chaos test-sanity test-molecule test-e2e

test-unit: venv ## Unit tests of the library and the daemons
	@python -m pytest -n auto tests/unit

test-conformance: venv ## One suite against every implementation of an interface
	@python -m pytest tests/conformance

test-chaos: venv ## Kill, race and starve controllers on every durable backend, 15 times each
	@python -m pytest tests/chaos -rP

chaos: venv ## The same, 100 kills each and 8 writers with 250 changes each
	@ARCA_CHAOS_ROUNDS=100 ARCA_CHAOS_CHANGES=250 python -m pytest tests/chaos -rP

fuzz: venv ## Random zones, edits, keys and texts against the laws of reading and signing, for ARCA_FUZZ_SECONDS (3600)
	@scripts/fuzz

test-sanity: venv ## ansible-test sanity and units, in a scratch collection tree
	@scripts/ansible-test

test-molecule: venv ## Converge, idempotence and verify of the scenarios on the lab
	@scripts/molecule

test-e2e: venv ## End-to-end tests on the lab
	@python -m pytest tests/e2e

lint: venv ## Formatting, types, YAML, Ansible, docs, licences, import directions, shell
	@scripts/lint

fmt: venv ## Format the code and apply safe fixes
	@ruff check --fix-only --quiet .
	@ruff format .

build: venv ## Build the collection tarball and the wheel into build/dist
	@scripts/build

docs: venv ## Render the collection's reference pages into build/docs/html
	@scripts/docs

bench: venv ## Run the benchmarks; each prints one table
	@scripts/bench

clean: ## Remove what the targets above made, .venv included; the lab's hosts are demo-down's
	@rm -rf build dist .cache $(VENV) .ansible .nox .hypothesis .coverage .ruff_cache .mypy_cache .pytest_cache
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
