# Everything a developer runs. Needs python3 (3.11 or newer) and make; installs into .venv and, for the tests, .venv-buildbot only.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILDBOT := .venv-buildbot
ARGS ?=
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo dev serve test check bench format services lock docs clean

help:  ## say what there is
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/run  ## break a small company and repair it (ARGS=--yes decides for you)
	@$(BIN)/sysop demo $(ARGS)
	@echo "the same in a chat, with buttons to press: make dev"

dev: $(VENV)/run  ## the same in a chat of your own: a local stand-in for Slack with a page
	@$(BIN)/sysop dev $(ARGS)

serve: $(VENV)/run  ## run Sysop with ./sysop.yaml
	@$(BIN)/sysop serve $(ARGS)

test: $(VENV)/dev $(BUILDBOT)/made  ## run every test that needs no root
	@$(BIN)/python tests/need_postgres.py || $(BIN)/python -m pip install -q --require-hashes -r requirements/postgres-wheel.lock
	@$(BIN)/python tests/run.py -n $(JOBS) --dist worksteal $(ARGS)

check: $(VENV)/dev  ## format, lint, types, imports, docs
	@$(BIN)/ruff format --check --quiet . && echo "format  ok"
	@$(BIN)/ruff check --quiet . && echo "lint    ok"
	@$(BIN)/mypy --no-error-summary && echo "types   ok"
	@$(BIN)/lint-imports --no-logo > .lint-imports.log 2>&1 && echo "imports ok" || (cat .lint-imports.log; exit 1)
	@$(BIN)/sysop runbooks lint && echo "runbooks ok"

format: $(VENV)/dev  ## put the code into shape
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

bench: $(VENV)/dev  ## the figures in docs/figures.md, at full size
	@$(BIN)/python benchmarks/run.py $(ARGS)

services:  ## as root on Debian: install what `make test` can use beside Python
	@[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "make services needs root on Debian; make test runs without it"; exit 1; }
	@apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  postgresql prometheus prometheus-alertmanager chromium \
	  $$(command -v kubectl > /dev/null || echo kubernetes-client) > /dev/null && echo "services installed"

lock:  ## pin every dependency by hash (needs uv)
	@for set in run dev buildbot postgres-wheel; do \
	  uv pip compile --quiet --universal --no-strip-extras --generate-hashes --no-header --no-annotate --python-version 3.11 \
	    $$(case $$set in run) echo "pyproject.toml --extra aws --extra llm --extra postgres --extra slack --group build";; \
	       dev) echo "pyproject.toml --extra aws --extra llm --extra postgres --extra semantic --extra slack --group build --group dev";; \
	       *) echo "--group $$set";; esac) -o requirements/$$set.lock; done

clean:  ## remove what these targets made
	@rm -rf $(VENV) $(BUILDBOT) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .lint-imports.log

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Sysop needs Python 3.11 or newer; name one: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "python3 cannot make a virtual environment; on Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/run: $(VENV)/bin/python requirements/run.lock pyproject.toml
	@echo "installing Sysop into $(VENV) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/run.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev: $(VENV)/run requirements/dev.lock
	@echo "installing development tools into $(VENV) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@

$(BUILDBOT)/made: $(VENV)/bin/python requirements/buildbot.lock  # an environment of its own: Buildbot is driven, not imported
	@echo "installing Buildbot for the tests into $(BUILDBOT) …"
	@$(PYTHON) -m venv $(BUILDBOT)
	@$(BUILDBOT)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/buildbot.lock
	@touch $@
