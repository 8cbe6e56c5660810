PYTHON ?= python3.11
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test lint docs clean

# Pick the earthquakes that come with ObsPy; results in ./demo_output.
demo: $(VENV)/.demo
	$(BIN)/seisbench-llm demo --out demo_output

# The whole suite, offline.
test: $(VENV)/.test
	$(BIN)/pytest

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The pages of docs/ and the Python interface as HTML, in docs/_build.
docs: $(VENV)/.docs
	$(BIN)/sphinx-build --quiet --fail-on-warning docs docs/_build

$(BIN)/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/pip setup.cfg constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.test: $(BIN)/pip setup.cfg constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test,language,train,archive,monitor,export]'
	touch $@

$(VENV)/.docs: $(BIN)/pip setup.cfg constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs,language,train,archive,monitor,export]'
	touch $@

clean:
	rm -rf $(VENV) demo_output docs/_build
