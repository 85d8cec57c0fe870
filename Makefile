SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
# Most tests wait for something: two processes halve the time on two cores.
JOBS ?= 2

BIN := $(VENV)/bin
# What an installation depends on: a change of either file, or of the folder, asks for a new one.
KEY := $(shell { echo '$(CURDIR)'; cat setup.cfg pyproject.toml; } | cksum | tr -dc 0-9)
RUN_READY := $(VENV)/.run-$(KEY)
TEST_READY := $(VENV)/.test-$(KEY)
DOCS_READY := $(VENV)/.docs-$(KEY)
NODE := tests/node
NODE_READY := $(NODE)/node_modules/.ready-$(shell cksum < $(NODE)/package.json | tr -dc 0-9)

.PHONY: help run test lint docs bench soak clean programs node

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-6s %s\n", $$1, $$2}' Makefile
	@echo
	@echo '  make test ARGS="-k name -x"                         passes options on to pytest'
	@echo '  make bench ARGS="--peers floor,ours --runs 5"       passes options on to the benchmark'
	@echo '  make soak ARGS="--only kill,reload"                 passes options on to the scenarios'
	@echo '  make test PYTHON=python3.12 VENV=.venv-3.12         uses another Python'

# Accounts whose passwords stand on the sign-in page are for this machine alone.
run: $(RUN_READY) ## serve the demo on http://127.0.0.1:8000
	@case "$${HOST-127.0.0.1}" in 127.*|localhost|::1) demo=1;; *) demo=0;; esac; \
	FLASK_DEMO_ACCOUNTS=$${FLASK_DEMO_ACCOUNTS-$$demo} exec $(BIN)/python -m gunicorn wsgi:app

test: lint programs node ## run linters, type checks and every test
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile $(ARGS)

lint: $(TEST_READY) ## run ruff and mypy
	@$(BIN)/python -m ruff check --quiet --output-format concise .
	@$(BIN)/python -m ruff format --check --quiet . || { \
		echo 'Not formatted: run "$(BIN)/python -m ruff format ." to mend it.' >&2; exit 1; }
	@$(BIN)/python -m mypy --no-error-summary

docs: $(DOCS_READY) ## build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo 'Built site/index.html; "$(BIN)/python -m http.server --directory site" serves it.'

bench: $(RUN_READY) ## measure this project beside others and beside the floor
	@$(BIN)/python -m benchmarks $(ARGS)

soak: $(TEST_READY) programs ## break things for 70 minutes and see that every promise is held
	@$(BIN)/python -m tests.faults $(ARGS)

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist site *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache $(NODE)/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN_READY): EXTRAS := server,demo
$(RUN_READY): STAMPS := $(RUN_READY)
$(DOCS_READY): EXTRAS := server,demo,docs
$(DOCS_READY): STAMPS := $(RUN_READY) $(DOCS_READY)
$(TEST_READY): EXTRAS := server,demo,docs,test
$(TEST_READY): STAMPS := $(RUN_READY) $(DOCS_READY) $(TEST_READY)

# A folder without pip was left half made, and one whose scripts name another place was moved:
# both are made anew. The stamps come last, so that what failed or was interrupted is tried again.
$(RUN_READY) $(DOCS_READY) $(TEST_READY):
	@if ! grep -qsF '$(CURDIR)/$(BIN)/' $(BIN)/pip || ! $(BIN)/python -m pip --version &>/dev/null; then \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
			echo 'Python 3.10 or newer is needed: name one with "make PYTHON=python3.12".' >&2; exit 1; }; \
		echo 'Creating $(VENV)'; \
		$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); \
			echo 'No virtual environment: on Debian, "apt-get install python3-venv" brings what it lacks.' >&2; \
			exit 1; }; \
	fi
	@rm -f $(VENV)/.run-* $(VENV)/.docs-* $(VENV)/.test-*
	@echo 'Installing .[$(EXTRAS)] into $(VENV)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --editable '.[$(EXTRAS)]'
	@touch $(STAMPS)

# The tests drive a real browser, real proxies, a real Redis and Node. Without them, those tests are
# skipped and say so.
programs:
	@export PATH="$$PATH:/usr/sbin:/sbin"; missing=(); \
	for tool in caddy chromium curl haproxy nginx openssl npm redis-server socat; do \
		command -v $$tool >/dev/null || missing+=($$tool); \
	done; \
	command -v ip >/dev/null || missing+=(iproute2); \
	command -v node >/dev/null || missing+=(nodejs); \
	[ $${#missing[@]} -gt 0 ] || exit 0; \
	install="apt-get install --yes --no-install-recommends $${missing[*]}"; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing $${missing[*]}"; \
		export DEBIAN_FRONTEND=noninteractive; \
		log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
		{ apt-get update && $$install; } >"$$log" 2>&1 || { cat "$$log" >&2; exit 1; }; \
	else \
		echo "Some tests need $${missing[*]}; on Debian: sudo $$install" >&2; \
	fi

# What runs under Node: compilers and validators of documents and clients.
node: $(NODE_READY)

$(NODE_READY): | programs
	@if command -v npm >/dev/null; then \
		echo 'Installing $(NODE)/package.json'; \
		npm install --prefix $(NODE) --no-package-lock --no-audit --no-fund --loglevel=error >/dev/null && \
		rm -f $(NODE)/node_modules/.ready-* && touch $@; \
	else \
		echo 'Some tests need npm, and what $(NODE)/package.json names.' >&2; \
	fi
