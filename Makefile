# One line a recipe; each does its own set-up.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready

.PHONY: setup demo run test check docs bench scale soak soak-cluster clean

setup: $(READY) ## a virtual environment with everything in it

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)

demo: $(READY) ## Isthmus with a simulated EHR and partner around it
	$(BIN)/isthmus demo

run: $(READY) ## serve the site in SITE (default: deploy/site)
	$(BIN)/isthmus serve $(or $(SITE),deploy/site)

test: check ## everything
	$(BIN)/pytest -n 3 --dist loadfile

check: $(READY) ## format, lint, types, import directions, docs up to date
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m gateway.reference --check

docs: $(READY) ## write the generated reference pages again
	$(BIN)/python -m gateway.reference

bench: $(READY) ## ratios against a floor program and peer libraries, in one run
	$(BIN)/python -m tests.benchmarks

scale: $(READY) ## a million messages in one store (STORE=postgres: the shared one): rate, memory, and how long searches take
	$(BIN)/python -m tests.benchmarks.scale --store $(or $(STORE),sqlite)

soak: $(READY) ## kill -9 under load, fifty times, and count what is missing
	$(BIN)/python -m tests.crash

soak-cluster: $(READY) ## six processes over PostgreSQL and Redis, everything taken away in turn, and the count
	$(BIN)/python -m tests.soak

clean: ## forget the environment and every cache
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build *.egg-info
