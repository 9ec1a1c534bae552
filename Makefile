# Everything runs in .venv, made on first use from the package index. PYTHON chooses the interpreter: 3.11 to 3.13.
PYTHON ?= python3
RUN ?= runs/digits_flipout
BIN := .venv/bin
export TF_CPP_MIN_LOG_LEVEL ?= 3
# TensorFlow leaves its fast kernels off on processors without VNNI or AMX instructions, where they are faster still.
export TF_ENABLE_ONEDNN_OPTS ?= 1

.PHONY: demo figures test slow full lint types build notebooks benchmark benchmark-peers results clean help

help: ## Shows this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "bayesconv needs Python 3.11, 3.12 or 3.13; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 demo"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/dev: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: .venv/ready ## Trains a Bayesian CNN on handwritten digits, evaluates it and draws its figures
	$(BIN)/bayesconv train configs/digits_flipout.yaml --out $(RUN) $(if $(wildcard $(RUN)/checkpoints/last.npz),--resume)
	$(BIN)/bayesconv evaluate $(RUN)
	$(BIN)/bayesconv plot $(RUN)

figures: demo ## Draws the README's figures anew
	cp $(RUN)/figures/certainty.png $(RUN)/figures/mutual_information_photo_patches.png docs/figures/

test: .venv/dev ## Runs the test suite
	$(BIN)/python -m pytest -q --numprocesses=auto --maxprocesses=4 --dist=loadfile

slow: .venv/dev ## Runs the tests that take long: trainings, processes, a browser, large samples
	$(BIN)/python -m pytest -q -m slow --numprocesses=auto --maxprocesses=4 --dist=loadscope

full: .venv/dev ## Runs the full product of layer, estimator, prior and way of running
	$(BIN)/python -m pytest -q -m full --numprocesses=auto --maxprocesses=4 --dist=worksteal

lint: .venv/dev ## Checks style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev ## Checks types
	$(BIN)/mypy

build: .venv/dev ## Builds the wheel
	$(BIN)/python -m build --wheel --outdir dist

notebooks: .venv/dev ## Executes the notebooks and keeps their output
	$(BIN)/jupytext --quiet --update --to ipynb notebooks/*.py
	$(BIN)/jupyter-nbconvert --to notebook --inplace --execute notebooks/*.ipynb \
	  --ExecutePreprocessor.record_timing=False \
	  --ExecutePreprocessor.extra_arguments="['--IPKernelApp.capture_fd_output=False']"

benchmark: .venv/ready ## Times training and prediction against plain TensorFlow
	$(BIN)/python -m benchmarks.run

benchmark-peers: .venv/ready ## Times other libraries too, installed on first use: several gigabytes
	$(BIN)/python -m benchmarks.run --sections --peers

results: .venv/ready ## Reproduces the README's table: five seeds of every configuration, the better part of an hour
	$(BIN)/python -m benchmarks.digits_seeds

clean: ## Removes the environment and everything built
	rm -rf .venv build dist *.egg-info
