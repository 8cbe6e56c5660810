# The first Python that is there. Its version has to be 3.11 or later.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do command -v $$name && break; done)
VENV ?= .venv
JOBS ?= 2
# Real records and published weights, which do not come with the package.
RECORDS ?= ../shared/data
PUBLISHED ?= ../shared/weights
OPTIONS ?=
BIN = $(VENV)/bin

.PHONY: demo test test-matrix test-wheel dist lint style types docs linkcheck site-check
.PHONY: benchmark coverage clean

# Pick the earthquakes that come with ObsPy; results in ./demo_output.
demo: $(VENV)/.demo
	$(BIN)/seisbench-llm demo --out demo_output

# The whole suite, offline, in JOBS processes. A file stays in one, so that what its tests share is made once.
test: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(JOBS) --dist loadfile

# Lines that the suite runs; those that it does not, in coverage/index.html.
coverage: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(JOBS) --dist loadfile --cov seisbench_llm --cov-report term:skip-covered \
	    --cov-report html:coverage

# The core of the suite with Python 3.11, 3.12 and 3.13, and with the oldest and the newest allowed
# version of each dependency; what this machine does not have is said. MATRIX="--only 3.11-oldest".
test-matrix: $(VENV)/.dist
	$(BIN)/python tools/environments.py matrix $(MATRIX)

# Wheel and source archive in dist, the same bytes whoever builds them.
dist: $(VENV)/.dist
	rm -rf dist
	$(BIN)/python tools/dist.py --check
	$(BIN)/twine check --strict dist/*

# The core of the suite with the wheel in new environments: without extras, and with each alone.
test-wheel: dist
	$(BIN)/python tools/environments.py extras $(MATRIX)

# The oldest version of each dependency that setup.cfg allows, and what goes with them.
constraints-oldest.txt: setup.cfg $(VENV)/.dist
	$(BIN)/uv pip compile --quiet --resolution lowest-direct --python-version 3.11 --no-annotate \
	    --no-header --all-extras setup.cfg | grep -v -e '^nvidia-' -e '^triton==' > $@.new
	(echo "# Made by: make $@ (the oldest versions that setup.cfg allows, Python 3.11)"; cat $@.new) > $@
	rm $@.new

lint: style types

style: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

# All models on the records at hand; a page of HTML in benchmark_results.
benchmark: $(VENV)/.test
	OMP_NUM_THREADS=$(JOBS) $(BIN)/python -m benchmarks.quality.harness --data $(RECORDS) --weights $(PUBLISHED) \
	    --out benchmark_results $(OPTIONS)

# The site in docs/_build/html. Every notebook is run, unless it has not changed since the last time.
docs: $(VENV)/.docs
	$(BIN)/sphinx-build --jobs $(JOBS) --quiet --fail-on-warning docs docs/_build/html

# Links that lead out of the site; needs the internet.
linkcheck: $(VENV)/.docs
	$(BIN)/sphinx-build --builder linkcheck --quiet docs docs/_build/linkcheck

# The built site in headless Chromium (packages chromium and chromium-driver): errors, tables, search.
site-check: $(VENV)/.docs
	$(BIN)/python docs/check_site.py

$(BIN)/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/pip setup.cfg constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.test: $(BIN)/pip setup.cfg constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test,language,train,benchmark,archive,monitor,pages,export]'
	touch $@

$(VENV)/.dist: $(BIN)/pip setup.cfg constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt setuptools twine uv
	touch $@

$(VENV)/.docs: $(BIN)/pip setup.cfg constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs,language,train,benchmark,archive,monitor,pages,export]'
	touch $@

clean:
	rm -rf $(VENV) coverage .coverage demo_output dist benchmark_results docs/_build docs/_generated
