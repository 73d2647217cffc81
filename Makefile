# The commands of the project; `make help` lists them. Each works as the first one in a fresh clone.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
STUDY ?= circles
SCALE ?= small
JOBS ?= 1

# DVC starts the stages with `python`; the environment's comes first.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv

# A word for the shell, whatever quotes or dollars it holds.
quoted = '$(subst ','\'',$(value $1))'

.DEFAULT_GOAL := help
.PHONY: help setup repro test lint study crawl report verify bench clean lock

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(INSTALLED): requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v < (3, 14) else f"error: $(PYTHON) is Python {v[0]}.{v[1]}, expected 3.10 to 3.13; run make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m latent_atlas.report.offline
	@touch $@

setup: $(INSTALLED) ## make .venv from requirements.lock

repro: setup ## run the whole DAG; what is up to date is left alone
	@$(BIN)/dvc repro
	@$(BIN)/python -m stages.report --list

test: setup ## run the tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist worksteal

lint: setup ## ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

study: setup ## a document's tables: make study STUDY=circles SCALE=full JOBS=2
	@$(BIN)/python -m stages.study $(STUDY) --scale $(SCALE) --jobs $(JOBS) \
	  $(if $(value ONLY),--only $(call quoted,ONLY)) $(if $(value SOURCE),--source $(call quoted,SOURCE))

crawl: setup ## a shop of your own: make crawl SHOP=shop.yaml CONTACT=me@example.org
	@test -n $(call quoted,SHOP) || { echo 'error: make crawl SHOP=shop.yaml, the path of a shop file; see docs/scraping.md' >&2; exit 1; }
	@$(BIN)/dvc exp run --force -S scrape.shop=$(call quoted,SHOP) $(if $(value CONTACT),-S scrape.contact=$(call quoted,CONTACT)) scrape

report: setup ## write report/index.html, and what it needs
	@$(BIN)/dvc repro report

verify: setup ## reproduce the last commit in a temporary clone and compare
	@$(BIN)/python -m stages.verify

bench: setup ## measure speed as ratios: loop against a bare loop, ingest against Pillow, …
	@$(BIN)/python -m benchmarks

clean: ## remove what the stages made, but not DVC's cache, finished studies or .venv
	rm -rf data/* models plots report metrics/*.json dvc_plots
	rm -rf .cache/training .cache/downloads .cache/crawls .cache/scratch-*
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find stages tests -name __pycache__ -prune -exec rm -rf {} +

lock: setup ## pin the newest versions that pyproject.toml allows
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.10 --fork-strategy requires-python \
	  --extra dev --quiet --no-annotate --no-header -o requirements.lock pyproject.toml
