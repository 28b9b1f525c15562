# Farola: `make help` lists the tasks.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
APS    ?= 60
PORT   ?= 8080
JOBS   ?= auto

.DEFAULT_GOAL := help

help: ## list the tasks
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | \
	  awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: $(VENV)/.runtime ## install, run the whole loop on a pretend city, serve the console
	$(BIN)/farola demo --aps $(APS) --port $(PORT)

# Compiled once, not by each worker of each run.
test soak: export PYTHONDONTWRITEBYTECODE =
# Threads for sums would wait for those of the other worker.
test soak unit: export OMP_NUM_THREADS = 1

test: $(VENV)/.dev debian ## install all that the tests need and run every test, JOBS at a time
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not soak" $(ARGS)

unit: $(VENV)/.dev ## only the tests that need no server, no browser, no real data
	$(BIN)/python -m pytest -m "not service and not browser and not realdata and not slow and not soak" $(ARGS)

bench: $(VENV)/.dev ## measure every speed claim beside its peer: benchmarks/results.json
	@sh tests/debian-packages.sh prometheus-snmp-exporter collectd
	$(BIN)/python benchmarks/run.py

soak: $(VENV)/.dev debian ## long seeded fault runs
	rm -f test-artifacts/faults.jsonl test-artifacts/push-faults.jsonl
	$(BIN)/python -m pytest -n $(JOBS) -m soak --timeout 0 $(ARGS); failed=$$?; \
	  $(BIN)/python -m tests.timeseries.faults.figures test-artifacts/faults.jsonl; \
	  $(BIN)/python -m tests.provisioning.faults.figures test-artifacts/push-faults.jsonl; \
	  exit $$failed

lint: $(VENV)/.dev ## ruff, mypy strict, and the floors of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: ## pin every dependency anew, with hashes and without a registry's address
	$(PYTHON) -m venv build/lock && build/lock/bin/pip install -q uv
	build/lock/bin/uv pip compile -q --universal --generate-hashes --no-header --no-annotate \
	  --upgrade pyproject.toml -o requirements/runtime.txt
	build/lock/bin/uv pip compile -q --universal --generate-hashes --no-header --no-annotate \
	  --upgrade --extra dev -c requirements/runtime.txt pyproject.toml -o requirements/dev.txt

wheel: | $(VENV)/bin/python ## build the wheel into dist/
	$(BIN)/python -m pip wheel -q . --no-deps -w dist

clean: ## remove what the tasks made (never a city's home)
	rm -rf $(VENV) build dist web/static/dist web/frontend/node_modules test-artifacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

debian:
	@sh tests/debian-packages.sh

$(VENV)/bin/python:
	@sh tests/make-venv.sh "$(PYTHON)" "$(VENV)"

$(VENV)/.runtime: pyproject.toml requirements/runtime.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.dev: pyproject.toml requirements/dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@ $(VENV)/.runtime

.PHONY: help demo test unit bench soak lint lock wheel clean debian
