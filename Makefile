# `make` lists the targets. Each sets up .venv by itself, once; nothing needs to be installed by hand.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := demo
# A file of tests stays in one process, which makes what its tests share once; tests/conftest.py says which come first.
HALVES := --numprocesses 2 --dist loadfile --no-loadscope-reorder
LOWEST := build/lowest
# What needs neither torch and timm, nor a server, nor a browser.
LOWEST_TESTS := tests/labelshards tests/labelgen $(addprefix tests/catlip_cli/test_,labels.py labels_again.py vocab.py) \
	--ignore tests/labelshards/test_storage_s3.py --ignore tests/labelgen/report \
	--ignore tests/labelgen/audit/test_coverage.py --deselect tests/labelgen/mentions/test_corenet.py::test_words__reach
CAPTIONS ?= ../shared/data/cc3m-val.tsv

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-unit test-lowest lint types format measure bench quality study docs lock clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Create .venv with everything in it, and fetch the language data

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[demo,dev]'
	$(BIN)/catlip labels setup
	@touch $@

demo: $(READY) ## Sample, labels, inspect, train, probe, and a picture: the whole way on drawn scenes
	$(BIN)/catlip sample $(DEMO)/data
	$(BIN)/catlip labels build '$(DEMO)/data/train/*.tar' --out $(DEMO)/labels --threshold 25
	$(BIN)/catlip vocab inspect $(DEMO)/labels --limit 12
	$(BIN)/catlip vocab inspect $(DEMO)/labels --html $(DEMO)/report.html
	$(BIN)/catlip train --labels $(DEMO)/labels --recipe recipes/demo_cpu.toml --out $(DEMO)/run
	$(BIN)/catlip probe $(DEMO)/run --data $(DEMO)/data/objects
	$(BIN)/catlip labels build '$(DEMO)/data/heldout/*.tar' --vocabulary $(DEMO)/labels --keep-captions --out $(DEMO)/heldout-labels
	$(BIN)/catlip sheet $(DEMO)/run --labels $(DEMO)/heldout-labels --out $(DEMO)/sheet.png --credit 'Pictures: OpenMoji, CC BY-SA 4.0'

test: $(READY) ## All tests: unit, processes killed, end to end on real data
	$(BIN)/pytest $(HALVES)

test-unit: $(READY) ## The fast tests alone
	$(BIN)/pytest $(HALVES) -m 'not slow'

test-lowest: ## The fast tests of labels, with the lowest versions that pyproject.toml allows; needs the package index
	$(PYTHON) -m venv --clear $(LOWEST)
	$(PYTHON) -m tools.lowest labels > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check --constraint $(LOWEST)/constraints.txt \
		--editable '.[labels]' hypothesis packaging pillow pytest
	$(LOWEST)/bin/catlip labels setup
	$(LOWEST)/bin/pytest -m 'not slow' --override-ini filterwarnings=default $(LOWEST_TESTS)

lint: $(READY) ## Style, and which package may import which
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(READY) ## Static types, strict, tests and benchmarks too
	$(BIN)/mypy

format: $(READY) ## Put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

measure: $(READY) ## Print how the tree stands to its own measure (CONTRIBUTING.md)
	$(BIN)/python -m tools.measure

bench: $(READY) ## Print the benchmarks' ratios; CAPTIONS=file.tsv names the captions, MORE more of them
	$(BIN)/python -m benchmarks.label_throughput $(CAPTIONS) $(if $(MORE),--more $(MORE) --varied 400000)
	$(BIN)/python -m benchmarks.train_throughput
	$(BIN)/python -m benchmarks.clip_vs_catlip

quality: $(READY) ## Measure how right the labels are, against gold data and captions judged by hand
	$(BIN)/python -m benchmarks.label_quality

study: $(READY) ## CatLIP, CLIP and SigLIP on the same photographs; goes on where it was; ARMS=loss, SEEDS=3, OUT=folder
	$(BIN)/python -m benchmarks.study --arms $(or $(ARMS),main) --seeds $(or $(SEEDS),2) --out $(or $(OUT),study)

docs: $(READY) ## Write the site of docs/ to build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo 'Open build/site/index.html'

lock: ## Write constraints.txt from what pyproject.toml's ranges give today
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --editable '.[demo,dev]'
	$(BIN)/pip freeze --exclude-editable | grep -v -i -E '^(nvidia|cuda|triton)' > constraints.txt

clean: ## Remove the environment and the demo
	rm -rf $(VENV) $(DEMO)
