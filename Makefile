# Everything runs in .venv, which the first target fills from requirements-dev.lock.
PYTHON ?= python3
BIN := .venv/bin
# Old makes (macOS) cannot keep the output of parallel checks together; it is then merely mixed.
TOGETHER := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
# Tests start a hundred processes. Compiled modules are kept in .venv whatever the environment says
# about them (images often say that none are written): else each start would compile all anew.
COMPILED := PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX="$(CURDIR)/.venv/compiled"
CHECKS := check-types check-imports check-format check-lint check-lock

.DEFAULT_GOAL := help
.PHONY: help setup demo test chaos screenshots peers bench check $(CHECKS) fmt lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## watch it work against stand-ins of every vendor, nothing to configure
	@$(BIN)/connector demo $(ARGS)

# In the order of the folders, the slow ones first: xdist would leave the files with the fewest
# tests to the end, and these are the longest.
test: setup ## run the tests (ARGS="-k zendesk" to choose)
	@$(COMPILED) $(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder $(ARGS)

# docs/chaos.md explains SHORT, SEED, SEEDS, SETUP, JOBS, BREAK, REPORT, RESUME and KEEP.
chaos: setup ## kill, stop, lose, flush, restart; count what was made (SHORT=1: under a minute)
	@$(COMPILED) $(BIN)/python -m tests.chaos.run $(if $(SHORT),--short) $(if $(SEED),--seed $(SEED)) \
	  $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SETUP),--set-up $(SETUP)) $(if $(JOBS),--jobs $(JOBS)) \
	  $(if $(BREAK),--break $(BREAK)) $(if $(REPORT),--report $(REPORT)) \
	  $(if $(RESUME),--resume) $(if $(KEEP),--keep)

screenshots: setup ## take the pictures of README and docs anew (needs chromium)
	@$(COMPILED) $(BIN)/python scripts/screenshots.py

peers: setup ## install the rule engines that `make bench` measures beside ours
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-peers.lock

bench: setup ## measure it (ARGS="--quick", "--json", "--only receive")
	@$(COMPILED) $(BIN)/python -m benchmarks $(ARGS)

check: setup ## format, lint, types, import direction, lock: what CI asks
	@$(MAKE) --no-print-directory --keep-going --jobs=2 $(TOGETHER) $(CHECKS)
	@echo "All checks passed."

check-format:
	@$(BIN)/ruff format --quiet --check --output-format=concise . || { echo "Run \`make fmt\`."; exit 1; }

check-lint:
	@$(BIN)/ruff check --quiet --output-format=concise .

check-types:
	@$(BIN)/mypy --no-error-summary

check-imports:
	@$(BIN)/lint-imports --no-logo > .venv/imports.log || { cat .venv/imports.log; exit 1; }

check-lock:
	@$(BIN)/python scripts/lock.py check

fmt: setup ## format and fix what can be fixed
	@$(BIN)/ruff check --quiet --fix --exit-zero .
	@$(BIN)/ruff format .

lock: setup ## export the lock files again (UPGRADE=1 to take the newest versions)
	@$(BIN)/python scripts/lock.py export $(if $(UPGRADE),--upgrade)
	@$(PYTHON) scripts/bootstrap.py

setup: ## fill .venv from the lock; the others do it by themselves
	@$(PYTHON) scripts/bootstrap.py

clean: ## remove .venv, caches and builds
	@rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
