# make run: sets everything up and prints the verdict of the default scenario. make test: sets up and passes the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# bytecode is kept whatever the surroundings say: else every process compiles all of its libraries anew
export PYTHONDONTWRITEBYTECODE :=
READY := $(VENV)/ready

.PHONY: run test check bench equality kill sbc backtest docs pins clean

run: $(READY)
	$(BIN)/pilotproof verdict invoice_processing

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadgroup

check: $(READY)
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m benchmarks.run
	$(BIN)/python -m benchmarks.pages

# generated workflows compared row by row with the independent reference; make equality COUNT=10000
COUNT ?= 1000
equality: $(READY)
	EQUALITY_COUNT=$(COUNT) $(BIN)/python -m pytest tests/test_equality.py -n 2

# runs that are killed at random moments must end in the same bytes; make kill KILLS=1000
KILLS ?= 100
kill: $(READY)
	KILLS=$(KILLS) $(BIN)/python -m pytest tests/test_survival.py -k killed

# made-up companies with a hidden truth: are the probabilities right? make backtest COMPANIES=200 OUTSIDE=50; goes on where it stopped
COMPANIES ?= 200
OUTSIDE ?= 50
PROCESSES ?= 2
backtest: $(READY)
	$(BIN)/python -m scenarios.validation.backtest --companies $(COMPANIES) --outside $(OUTSIDE) --processes $(PROCESSES)
	$(BIN)/python -m docs.make_backtest

# every fit calibrated by simulation: prior → data → fit, about an hour for 200 each; make sbc FITS=60
FITS ?= 200
sbc: $(READY)
	$(BIN)/python -m scenarios.validation.sbc --fits $(FITS)

# pages that are made from the code, and the tables of measured results
docs: $(READY)
	$(BIN)/python -m docs.make

$(READY): requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

# the pins of requirements-dev.txt; needs uv (pip install uv)
pins:
	uv pip compile pyproject.toml --extra cluster --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements-dev.txt

clean:
	rm -rf $(VENV) build dist *.egg-info
