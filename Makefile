# Each target makes the virtual environment it needs. `make help` lists them all.

PYTHON ?= python3
VENV ?= .venv
PROFILE ?= ci
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup train test tiny deep bench results peers tour mutate lint types budget clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

train: $(VENV)/core  ## train SimpleCNN on MNIST (no torch needed); flags: make train ARGS="--epochs 3"
	$(BIN)/python -m minicnn.train $(ARGS)

test: $(VENV)/test  ## prove every layer against torch (installs torch and torchvision)
	$(BIN)/python -m pytest -n auto --hypothesis-profile=$(PROFILE) $(ARGS)

tiny: $(VENV)/test  ## is it alive? a few tests in two seconds
	$(BIN)/python -m pytest -q tests/test_tiny.py

deep: $(VENV)/test  ## here and in torch: 20,000 random configurations for each differential test (two hours)
	$(BIN)/python -m pytest -n auto -m differential --hypothesis-profile=deep $(ARGS)

bench: $(VENV)/test  ## time it beside torch; a look within a minute: make bench ARGS=--quick
	$(BIN)/python -m benchmarks $(ARGS)

results: $(VENV)/test  ## time everything on a quiet machine (half an hour), write benchmarks/RESULTS.md; ARGS="--only step,inference"
	$(BIN)/python -m pip install --quiet --editable '.[runtimes]'
	$(BIN)/python -m benchmarks results $(ARGS)

peers:  ## ask a dozen other libraries in an environment of their own, write benchmarks/PEERS.md
	$(PYTHON) -m venv $(VENV)-peers
	$(VENV)-peers/bin/python -m pip install --quiet --editable '.[torch,onnx]' --requirement benchmarks/peers/requirements.txt
	$(VENV)-peers/bin/python -m benchmarks peers

tour: $(VENV)/test  ## execute reference/tour.py from top to bottom and write tour.ipynb and tour.pt.ipynb
	$(BIN)/python -m tests.project.tour

mutate: $(VENV)/dev  ## mutation testing, room by room (hours): make mutate ARGS=geometry
	$(BIN)/python -m tests.trust.mutate $(ARGS)

setup: $(VENV)/dev  ## everything for working on minicnn
	$(BIN)/pre-commit install

lint: $(VENV)/dev  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev  ## mypy on the package
	$(BIN)/mypy

budget: $(VENV)/dev  ## how much a reader has to read
	$(BIN)/python -m tests.project.budget

clean:  ## remove the virtual environment
	rm -rf $(VENV)

$(VENV)/core: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/test: $(VENV)/core
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

$(VENV)/dev: $(VENV)/test
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@
