# make demo, make test: each sets up everything it needs in .venv.
PYTHON ?= python3
VENV ?= .venv
# The version the tests run with. Asked for by number, so that pip never swaps a CPU build for a CUDA one.
TORCH ?= 2.13.0
BIN := $(VENV)/bin

.PHONY: demo tables bench test test-all test-minimum test-wheel lint format docs clean

demo: $(VENV)/.installed
	$(BIN)/wesam demo --out wesam-demo

# All tables on generated images with the bundled model, about nine hours on two cores; goes on where it was stopped. Two jobs, a
# core each; each says first how long it will take. In some ten minutes: make tables BENCH=--quick. To have learning rates chosen
# before: wesam bench --rates --out tables.
tables: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/wesam bench --out tables --cell 1/2 $(BENCH) & first=$$!; \
	OMP_NUM_THREADS=1 $(BIN)/wesam bench --out tables --cell 2/2 $(BENCH); second=$$?; \
	wait $$first && test $$second = 0 && $(BIN)/wesam bench --out tables --pages-only

# Speed and memory of a step beside the paper's plain loop, and where the time goes: a few minutes.
bench: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/adapt_step.py

# Every test but the marked products; one thread a process, one process a core.
test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

# Also every kind of update in every family, kills, several processes: some 20 minutes.
test-all: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile -m ""

# The oldest versions that pyproject.toml allows.
test-minimum: $(VENV)/.installed-dev
	$(PYTHON) -m venv $(VENV)-minimum
	$(BIN)/python tests/minimum.py > $(VENV)-minimum/constraints.txt
	$(VENV)-minimum/bin/python -m pip install --quiet -c $(VENV)-minimum/constraints.txt -e '.[dev]'
	OMP_NUM_THREADS=1 $(VENV)-minimum/bin/python -m pytest -n auto --dist loadfile -m "not slow and not full"

# What a stranger gets from the package index: the wheel alone, in a new environment, away from this checkout.
test-wheel: $(VENV)/.installed-dev
	rm -rf build/wheel && mkdir -p build/wheel
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/python -m pip install --quiet torch==$(TORCH)
	build/wheel/venv/bin/python -m pip install --quiet build/wheel/*.whl
	cd build/wheel && venv/bin/wesam demo --out demo

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed-docs
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) $(VENV)-minimum build dist site wesam-demo

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet torch==$(TORCH)
	$(BIN)/python -m pip install --quiet -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e '.[dev,bench]'
	$(BIN)/python -m pip install --quiet --no-deps imagecorruptions-imaug
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e '.[docs]'
	touch $@
