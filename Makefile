# Every verb sets up what it needs. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN ?= runs/leaves-$(shell date +%Y%m%d-%H%M%S)
TRIALS ?= 40

export TF_CPP_MIN_LOG_LEVEL ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup setup-test search test test-full aws-test s3-server lint check bench faults report clean

help: ## List the verbs.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "expected Python 3.11 to 3.13, received $$($(PYTHON) --version): make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.ready-to-test: $(VENV)/.installed requirements-aws.txt requirements-test.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-test.txt
	@touch $@

$(VENV)/.has-toolkit: $(VENV)/.ready-to-test requirements-toolkit.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-toolkit.txt
	@touch $@

setup: $(VENV)/.installed ## Make the virtual environment with pinned packages.

setup-test: $(VENV)/.ready-to-test ## Add what the tests need: Ray, SageMaker's SDK, an S3 server, torch.

search: setup ## Search on leaves, retrain the best, test it once, write the report (RUN=, TRIALS=).
	$(BIN)/nas search metaqnn --data leaves --trials $(TRIALS) --run $(RUN)
	$(BIN)/nas retrain $(RUN) --top 2 --epochs 12
	$(BIN)/nas report $(RUN)

test: setup-test ## Run all tests that need nothing but Python.
	$(BIN)/python -m pytest -m "not browser and not radosgw and not toolkit"

test-full: $(VENV)/.has-toolkit ## Run the tests that need a browser (chromium), Ceph (radosgw) or a C compiler.
	$(BIN)/python -m pytest -m "browser or radosgw or toolkit"

aws-test: $(VENV)/.has-toolkit ## Run everything about S3 and SageMaker: no account is needed, nothing may be skipped.
	NAS_FAIL_ON_SKIP=1 $(BIN)/python -m pytest tests/aws tests/nas_core/cloud -m "not radosgw" --durations=10

s3-server: setup-test ## Serve S3 by Ceph until Ctrl-C (apt: radosgw ceph-mon ceph-osd ceph-common; root).
	$(BIN)/python tests/support/rados_gateway.py

lint: setup-test ## Format, lint, types and import contracts.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint ## Lint and the fast tests, one process a core: before every commit.
	$(BIN)/python -m pytest -n auto -m "not slow and not browser and not radosgw and not toolkit"

faults: setup-test ## Kills, damage, hostile files, long runs: print every figure (docs/faults.md; 25 minutes).
	$(BIN)/python tests/faults/figures.py

bench: setup ## Measure speed side by side in one run.
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/controller.py

report: setup ## Write the report of RUN=FOLDER.
	$(BIN)/nas report $(RUN)

clean: ## Remove the virtual environment and caches; runs and data stay.
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
