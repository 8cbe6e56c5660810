PYTHON ?= python3.11
VENV ?= .venv
JOBS ?= 2
# Real records and published weights, which do not come with the package.
RECORDS ?= ../shared/data
PUBLISHED ?= ../shared/weights
OPTIONS ?=
BIN = $(VENV)/bin
# 0.12.0 and 0.12.1 are not on PyPI.
SEISBENCH_OLDEST = 0.12.2

.PHONY: demo test test-seisbench-oldest lint style types docs linkcheck site-check benchmark clean

# Pick the earthquakes that come with ObsPy; results in ./demo_output.
demo: $(VENV)/.demo
	$(BIN)/seisbench-llm demo --out demo_output

# The whole suite, offline, in JOBS processes.
test: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(JOBS)

# Streams, models and live picking with the oldest SeisBench that is allowed, in .venv-oldest.
test-seisbench-oldest:
	$(MAKE) VENV=.venv-oldest .venv-oldest/.oldest
	OMP_NUM_THREADS=1 .venv-oldest/bin/pytest --numprocesses $(JOBS) tests/network tests/models tests/streams tests/live

lint: style types

style: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

# The site in docs/_build/html. Every notebook is run, unless it has not changed since the last time.
benchmark: $(VENV)/.test
	x

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
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test,language,train,benchmark,archive,monitor,export]'
	touch $@

$(VENV)/.oldest: $(VENV)/.test
	sed '/^seisbench==/d' constraints.txt > $(VENV)/constraints.txt
	$(BIN)/pip install --quiet --constraint $(VENV)/constraints.txt seisbench==$(SEISBENCH_OLDEST)
	touch $@

$(VENV)/.docs: $(BIN)/pip setup.cfg constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs,language,train,benchmark,archive,monitor,export]'
	touch $@

clean:
	rm -rf $(VENV) .venv-oldest demo_output benchmark_results docs/_build docs/_generated
