# make quickstart   train a real encoder for a few minutes, align before and after, make pictures
# make test         style, types and the whole suite
# make lint         style and types alone
# make docs         the documentation as a site, in build/site
# make fuzz         100,000 lines, nearly half of them with odd bytes, through `xlm-align align`
# make wheel-test   the suite against the installed wheel
# make install      the virtual environment (.venv) that the others use
# make clean        remove what was built and the outputs of the examples
# Each makes what it needs first and can be repeated.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN = $(VENV)/bin
TORCH ?= $(shell sed -n 's/^torch==\(.*\)/torch==\1+cpu/p' constraints.txt)
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
export OMP_NUM_THREADS ?= $(shell nproc)

.PHONY: help quickstart test fuzz lint docs install wheel-test clean
.DEFAULT_GOAL := help

help:
	@sed -n '/^$$/q; s/^# //p' Makefile

install: $(VENV)/installed

# torch comes first and as a CPU build, so that nobody is given gigabytes of CUDA unasked; for a GPU: make install TORCH=torch
# torchaudio is named by ve-fairseq, is not used, and its wheel does not load beside a CPU torch: transformers would trip over it
$(VENV)/installed: setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools -c constraints.txt
	$(BIN)/python -m pip install --quiet "$(TORCH)" -c constraints.txt \
	  || $(BIN)/python -m pip install --quiet "$(TORCH)" -c constraints.txt --index-url $(TORCH_CPU_INDEX)
	$(BIN)/python -m pip install --quiet -e ".[test,quickstart]" -c constraints.txt
	$(BIN)/python -m pip uninstall --quiet --yes torchaudio
	touch $@

quickstart: install
	PATH="$(CURDIR)/$(BIN):$$PATH" bash examples/quickstart/run.sh

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# a process for each core, a thread in each
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

# warnings are errors: a link that leads nowhere, a module that the reference names and that is not there
docs: $(VENV)/docs-installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

$(VENV)/docs-installed: $(VENV)/installed
	$(BIN)/python -m pip install --quiet -e ".[docs]" -c constraints.txt
	$(BIN)/python -m pip uninstall --quiet --yes torchaudio
	touch $@

# 50,000 lines through each of two input forms, nearly half of them with odd bytes; the others must have links
fuzz: install
	FUZZ_LINES=50000 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -rP tests/integration/test_fuzz.py -k corpus

# the suite against the wheel, installed non-editable in an environment of its own
wheel-test:
	$(PYTHON) -m venv $(VENV)-wheel
	$(VENV)-wheel/bin/python -m pip install --quiet --upgrade pip setuptools -c constraints.txt
	$(VENV)-wheel/bin/python -m pip install --quiet "$(TORCH)" -c constraints.txt \
	  || $(VENV)-wheel/bin/python -m pip install --quiet "$(TORCH)" -c constraints.txt --index-url $(TORCH_CPU_INDEX)
	$(VENV)-wheel/bin/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	$(VENV)-wheel/bin/python -m pip install --quiet --force-reinstall --no-deps dist/xlm_align_fairseq-*.whl
	$(VENV)-wheel/bin/python -m pip install --quiet "xlm-align-fairseq[test,quickstart]" -c constraints.txt
	$(VENV)-wheel/bin/python -m pip uninstall --quiet --yes torchaudio
	rm -rf build/wheel-test && mkdir -p build/wheel-test
	cp -r tests examples scripts docs mkdocs.yml pyproject.toml setup.py CITATION.cff *.md build/wheel-test/
	cd build/wheel-test && OMP_NUM_THREADS=1 $(CURDIR)/$(VENV)-wheel/bin/python -m pytest -n auto --dist loadfile

clean:
	rm -rf outputs build dist *.egg-info
