# Everything starts here: `make` lists the targets.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
POSTGRES ?= $(shell ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
BIN := $(VENV)/bin
SPREAD := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
LEDGER := $(BIN)/personnel-ledger

##@ Use
.PHONY: help demo serve
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.ready ## set up, enter an invented bureau of 42,000 and ask it (about two minutes)
	$(LEDGER) --data var/demo demo

serve: $(VENV)/.ready ## the API on this machine
	$(LEDGER) serve

##@ Work
.PHONY: setup test test-installed quick lint bench bench-growth import-chicago soak faults browser vendor lock clean
setup: $(VENV)/.ready ## the virtual environment, from the lock

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

test: setup lint ## set up, then lint, types, import contracts and every test
	$(BIN)/python -m pytest $(SPREAD)

lint: setup ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy domain projections replay api
	$(BIN)/lint-imports

quick: setup ## the pure tests alone, in seconds
	$(BIN)/python -m pytest tests/acts tests/law

##@ Measure and try hard (minutes each)
bench: setup ## ratios beside the library's recorder and plain COPY; figures of the records
	$(BIN)/python -m tests.benchmarks.log
	$(BIN)/python -m tests.benchmarks.records
	$(BIN)/python -m tests.benchmarks.intake
	$(BIN)/python -m tests.benchmarks.reads

bench-growth: setup ## one person and one unit at 1.3 and at 13 million facts: a quarter of an hour, 20 GB
	$(BIN)/python -m tests.benchmarks.records --growth

import-chicago: setup ## a real department's history, where ../shared/data/chicago lies
	$(LEDGER) --data var/chicago init --pack none
	$(LEDGER) --data var/chicago import ../shared/data/chicago --mapping chicago --enter
	$(LEDGER) --data var/chicago replay verify

test-installed: setup ## the database tests on an installed PostgreSQL: make test-installed POSTGRES=/usr/lib/postgresql/15/bin
	LEDGER_TEST_POSTGRES=$(POSTGRES) $(BIN)/python -m pytest $(SPREAD) tests/ledger tests/projections tests/replay --ignore tests/ledger/test_server.py

soak: setup ## random histories against fold, oracle and deciding all again, without a budget
	HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest tests/projections/test_records.py tests/projections/test_oracle.py tests/ledger/test_impact_whole.py

faults: setup ## put known faults in, one at a time: do the random histories notice?
	$(BIN)/python -m tests.faults

browser: ## Debian, as root: the Chromium with which the tests open check.html (without it they skip)
	apt-get install -y --no-install-recommends chromium

vendor: ## take the libraries of check.html from their pinned packages anew (npm)
	$(BIN)/python -m tests.vendor

lock: ## pin the dependencies anew, with hashes
	$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check pip-tools
	$(VENV)-lock/bin/python -m piptools compile --quiet --allow-unsafe --extra dev --generate-hashes \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --strip-extras --no-header \
	--no-annotate -o requirements.lock pyproject.toml

clean: ## remove what the targets made (not var/)
	rm -rf $(VENV) $(VENV)-lock build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
