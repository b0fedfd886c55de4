SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
STAMPS := $(VENV)/.stamps
BIN := $(VENV)/bin
CENTRE ?= inner-mongolia
PYTEST_ARGS ?= -n 2 --dist worksteal
SCALE ?= 20
IDLE ?= 60
FUZZ_EXAMPLES ?= 12
FUZZ_SEED ?= $(shell date +%s)
PLACEMENT := $(VENV)/placement
LOCK_ARGS ?=
BABEL := $(BIN)/python -m babel.messages.frontend --quiet
CATALOGUES := $(wildcard web/translations/*/LC_MESSAGES/messages.po)

.PHONY: help setup run test test-debian-postgres chaos screenshots bench-allocate bench-scale bench-sweep bench-tenants bench-vpn bench-vpn-import bench-vpn-scale bench-window lab-libvirt lab-openstack lab-vpn
.PHONY: check-access check-brute-force check-requests fuzz
.PHONY: lint translations lock clean

help: ## Show what can be made
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(STAMPS)/steppe web/static/vendor/manifest.json $(STAMPS)/translations $(STAMPS)/identity_provider ## Make .venv and everything that Steppe needs to run here

run: setup ## Start Steppe with a model centre (CENTRE=inner-mongolia)
	$(BIN)/steppe up --centre $(CENTRE)

test: lint ## Everything that must hold: lint, then the tests (PYTEST_ARGS="-n 2 --dist worksteal")
	@$(BIN)/pytest $(PYTEST_ARGS)

test-debian-postgres: setup ## The tests on Debian's own PostgreSQL, which it installs (needs root)
	deploy/with_debian_postgres.sh $(BIN)/pytest $(PYTEST_ARGS)

chaos: setup ## Kill every part at every step, about 120 times, and see that nothing is lost (10 minutes)
	@$(BIN)/python -m tests.chaos

check-access: setup ## Every route, method and caller over HTTP, held against the table of who may do what (1 minute)
	@$(BIN)/python -W ignore -m tests.access

check-requests: setup ## One window as a whole: requests, leases, notifications, links, attachments, times
	@$(BIN)/python -m tests.window

check-brute-force: setup ## A thousand wrong sign-ins: the name is locked, others are served, no time tells a name (2 minutes)
	@$(BIN)/python -W ignore -m tests.brute_force

fuzz: setup ## Hostile and plain requests by every role, against the API's own description (13 minutes on two busy cores; FUZZ_EXAMPLES=12 FUZZ_SEED=…)
	@$(BIN)/python -W ignore -m tests.fuzz --examples $(FUZZ_EXAMPLES) --seed $(FUZZ_SEED)

screenshots: setup ## Take the pictures of docs/console.md anew (needs chromium)
	@$(BIN)/pytest tests/browser/screenshots.py

bench-sweep: setup ## How long a sweep over 5,840 VMs takes, and what an idle worker costs and holds (SCALE=20 IDLE=60)
	$(BIN)/python -m bench.sweep --scale $(SCALE) --idle $(IDLE)

bench-allocate: setup $(PLACEMENT)/.installed ## An allocation beside OpenStack Placement (a few minutes; leave the machine alone)
	@$(BIN)/python -W ignore -m bench.allocate --placement-python $(PLACEMENT)/bin/python

bench-tenants: setup ## What keeping tenants apart in the database costs a request
	@$(BIN)/python -W ignore -m bench.tenants_apart

bench-vpn-import: setup ## A CSV of 23,785 VPN accounts imported by the console, on a real web server and worker
	@$(BIN)/python -W ignore -m bench.vpn_import

bench-window: setup ## The inbox at 100 and at 10,000 open requests, and following all of them up
	@$(BIN)/python -W ignore -m bench.window

bench-vpn: setup ## One ask for 23,785 VPN accounts, to their logins at a real RADIUS server
	@$(BIN)/python -W ignore -m bench.vpn

bench-vpn-scale: setup ## VPN accounts a hundredfold: lists, searches, the login check (half an hour; SCALE=100)
	@$(BIN)/python -W ignore -m bench.vpn --scale $(if $(filter 20,$(SCALE)),100,$(SCALE))

bench-scale: setup ## The same requests at 292 and at 5,840 VMs, and the plan of each list (SCALE=20)
	@$(BIN)/python -W ignore -m bench.scale --scale $(SCALE)

$(PLACEMENT)/.installed: bench/allocate/placement.lock | $(BIN)/python
	"$$(deploy/find_python.sh)" -m venv $(PLACEMENT)
	$(PLACEMENT)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

lab-libvirt: setup ## Real guests on two real libvirt and QEMU hypervisors (needs root; docs/labs.md)
	tests/labs/install.sh
	@$(BIN)/python -m tests.labs.libvirt_lab

lab-openstack: setup ## Real OpenStack services from Debian's packages (needs root; STEPPE_LAB_COMPUTE=libvirt for real guests; docs/labs.md)
	@$(BIN)/python -m tests.labs.openstack $(BIN)/python -m tests.labs.openstack_lab

lab-vpn: setup ## A whole Steppe with a real FreeRADIUS, ocserv and openconnect, in namespaces (needs root; 10 minutes; docs/labs.md)
	@$(BIN)/python -W ignore -m tests.labs.vpn_lab

lint: setup ## Style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

translations: $(STAMPS)/steppe ## Bring the catalogues up to date with templates and code
	$(BABEL) extract -F babel.cfg --no-location --sort-output --omit-header -o web/translations/messages.pot .
	for lang in zh en; do \
	    $(BABEL) update -i web/translations/messages.pot -d web/translations -l $$lang --no-fuzzy-matching --ignore-obsolete --width 100; \
	done
	sed -i -E '1{/^$$/d}; /^"(Report-Msgid|POT-|PO-|Last-|Language-Team|Generated)/d' $(CATALOGUES)
	rm web/translations/messages.pot

lock: | $(BIN)/python ## Choose versions anew where setup.cfg asks for it (LOCK_ARGS=--upgrade for all)
	@test -x $(BIN)/uv || $(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile setup.cfg --extra dev -o requirements.lock $(LOCK_OPTIONS) $(LOCK_ARGS)
	$(BIN)/uv pip compile web/assets/node.in -o web/assets/node.lock $(LOCK_OPTIONS) $(LOCK_ARGS)

LOCK_OPTIONS := --quiet --generate-hashes --universal --python-version 3.11 \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links

clean: ## Remove what setup and the tests have made
	rm -rf $(VENV) web/static/vendor web/assets/node_modules tests/oidc/node_modules web/translations/*/LC_MESSAGES/*.mo
	rm -rf *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(STAMPS)/system: deploy/system_packages.sh
	deploy/system_packages.sh "$$(deploy/find_python.sh)"
	@mkdir -p $(@D) && touch $@

$(BIN)/python: | $(STAMPS)/system
	"$$(deploy/find_python.sh)" -m venv $(VENV)

$(STAMPS)/lock: requirements.lock | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(STAMPS)/steppe: setup.cfg pyproject.toml $(STAMPS)/lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

web/static/vendor/manifest.json: $(addprefix web/assets/,fetch.sh with_npm.sh vendor.py icons.txt package.json package-lock.json node.lock) | $(BIN)/python
	web/assets/fetch.sh $(BIN)/python $(VENV)/node

$(STAMPS)/identity_provider: $(addprefix tests/oidc/,package.json package-lock.json) web/static/vendor/manifest.json
	cd tests/oidc && ../../web/assets/with_npm.sh ../../$(BIN)/python ../../$(VENV)/node npm ci --no-progress --loglevel=error
	@touch $@

$(STAMPS)/translations: $(CATALOGUES) $(STAMPS)/lock
	$(BABEL) compile -d web/translations
	@touch $@
