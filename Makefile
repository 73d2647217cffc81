# The commands of the project; `make help` lists them. Each works as the first command in a fresh clone.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
STUDY ?= circles
SCALE ?= small
JOBS ?= 1
FAST := tests/config tests/util tests/metrics/test_*.py tests/plots tests/report tests/test_architecture.py \
  tests/test_documentation.py tests/models/test_models.py tests/training/test_checkpoint.py \
  tests/data/test_store.py tests/stages/test_commands.py

# DVC starts the stages with `python`: put that of the environment first.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv

# Quote a value for the shell, whatever quotes or dollars it contains.
quoted = '$(subst ','\'',$(value $1))'

.DEFAULT_GOAL := help
.PHONY: help setup repro test test-fast lint dag study crawl report verify noise bench clean lock

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

$(INSTALLED): requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v < (3, 14) else f"error: $(PYTHON) is Python {v[0]}.{v[1]}, expected 3.10 to 3.13; run make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m stages.plots_template
	@touch $@

setup: $(INSTALLED) ## make .venv from requirements.lock

repro: setup ## run the whole DAG, two stages at a time; stages that are up to date are skipped
	@$(BIN)/python -m stages.dag --check
	@$(BIN)/python -m stages.repro $(if $(filter file,$(origin JOBS)),,--jobs $(JOBS))
	@$(BIN)/python -m stages.report --list

test: setup ## run the tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist worksteal

test-fast: setup ## a fast part of the tests: configuration, metrics, plots, one test of each model
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist worksteal -m "not slow" $(FAST)

dag: setup ## renew the generated parts of dvc.yaml and docs/reference/parameters.md
	@$(BIN)/python -m stages.dag
	@$(BIN)/python -m stages.parameters

lint: setup ## ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

study: setup ## a document's tables: make study STUDY=circles SCALE=full JOBS=2
	@$(BIN)/python -m stages.study $(STUDY) --scale $(SCALE) --jobs $(JOBS) \
	  $(if $(value ONLY),--only $(call quoted,ONLY)) $(if $(value SOURCE),--source $(call quoted,SOURCE))

crawl: setup ## a shop of your own: make crawl SHOP=shop.yaml CONTACT=me@example.org
	@test -n $(call quoted,SHOP) || { echo 'error: make crawl SHOP=shop.yaml, the path of a shop file; see docs/guide/shop.md' >&2; exit 1; }
	@$(BIN)/dvc exp run --force -S scrape.shop=$(call quoted,SHOP) $(if $(value CONTACT),-S scrape.contact=$(call quoted,CONTACT)) scrape

report: setup ## write report/index.html and everything it needs
	@$(BIN)/dvc repro report

verify: setup ## reproduce the last commit in a temporary clone and compare
	@$(BIN)/python -m stages.verify

noise: setup ## noise of the metrics over training seeds: make noise, or make noise RUNS='circles_vae digits_vae'
	@$(BIN)/python -m stages.noise $(RUNS) $(if $(filter file,$(origin JOBS)),,--jobs $(JOBS))

bench: setup ## measure speed as ratios: training loop against a bare loop, …; with FULL=1 all of it
	@$(BIN)/python -m benchmarks $(if $(FULL),--full)

clean: ## remove all outputs of the stages; keep DVC's cache, finished studies and .venv
	find data -mindepth 1 -maxdepth 1 ! -name 'dvc.*' ! -name .gitignore -exec rm -rf {} +
	rm -rf models plots report metrics/*.json dvc_plots
	rm -rf .cache/training .cache/downloads .cache/crawls .cache/scratch-*
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find stages latent_atlas benchmarks tests -name __pycache__ -prune -exec rm -rf {} +

lock: setup ## pin the newest versions that pyproject.toml allows
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.10 --fork-strategy requires-python \
	  --extra dev --quiet --no-annotate --no-header -o requirements.lock pyproject.toml
