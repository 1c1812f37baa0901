# Every way to run this project; each target makes what it needs by itself, in .venv and build/, and only once.
# Settings: PYTHON (3.11 or newer), VENV, FOLDER (for serve), PYTEST (further options for the tests),
# ROUNDS (for endurance).

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
VENV   ?= .venv
FOLDER ?=
PYTEST ?=

BIN     := $(VENV)/bin
PIP     := $(BIN)/python -m pip --disable-pip-version-check
MONAI   := build/monailabel-0.8.5
NEEDS   := tests/compatibility/requirements.txt
VIEWER  := $(shell find viewer -name node_modules -prune -o -type f -print) # the install builds it when it changed
# The seconds that each part of the tests may take before it is ended: together the quarter of an hour that CI grants.
# On a slow machine: make test UNIT= COMPAT= ENDURE= BROWSER=
UNIT    ?= --session-timeout=260
COMPAT  ?= --session-timeout=80
ENDURE  ?= --session-timeout=240
BROWSER ?= --session-timeout=275
TWO     := --numprocesses=2 --dist=worksteal
ROUNDS  ?= 1000

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo serve folder-named test test-unit test-compatibility test-endurance test-browser endurance lint format bench bench-quick bench-viewer screenshots clean

help: ## Print this list.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-26s%s\n", $$1, $$2 }'

demo: $(VENV)/.runs ## Set up, make a small datastore of real scans with labels in ./demo-datastore and serve it on this machine.
	$(BIN)/monailabel-datastore demo

serve: folder-named $(VENV)/.runs ## Serve a folder of images: make serve FOLDER=/data/brains
	$(BIN)/monailabel-datastore serve "$(FOLDER)"

folder-named:
	@test -n "$(FOLDER)" || { echo 'make serve needs a folder: make serve FOLDER=/data/brains' >&2; exit 2; }

test: test-unit test-compatibility test-endurance test-browser ## Set up and pass all tests, in less than 15 minutes on two cores.

test-unit: $(VENV)/.tests ## Only the tests of each part and of each seam (at most 4.4 minutes).
	$(BIN)/python -m pytest $(TWO) $(UNIT) tests/unit $(wildcard tests/contract) $(PYTEST)

test-compatibility: $(VENV)/.tests $(MONAI)/.complete ## Only the tests beside MONAI Label and with its clients' requests (at most 1.4 minutes).
	$(if $(wildcard tests/compatibility/test_*.py),$(BIN)/python -m pytest $(TWO) $(COMPAT) tests/compatibility $(PYTEST))

test-endurance: $(VENV)/.tests $(MONAI)/.complete ## Only the tests that kill, race and damage (at most 4 minutes).
	$(if $(wildcard tests/endurance/test_*.py),$(BIN)/python -m pytest $(TWO) $(ENDURE) tests/endurance $(PYTEST))

endurance: $(VENV)/.tests ## The same for as long as ROUNDS says (kills; 1,000 take about half an hour), with their figures.
	ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -s --timeout=7200 tests/endurance $(PYTEST)

test-browser: $(VENV)/.tests ## Only the tests in a real browser (at most 4.6 minutes).
	$(if $(wildcard tests/browser/test_*.py),$(BIN)/python -m pytest $(BROWSER) tests/browser $(PYTEST))

lint: $(VENV)/.lints ## Check style, types, and that each room imports only from the floors below it.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python hatch_build.py check

format: $(VENV)/.lints ## Bring the code into shape.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.benches $(MONAI)/.complete ## Measure beside MONAI Label and the machine's limit, into docs/benchmarks.md (at most 20 minutes).
	$(BIN)/python -m benchmarks --write

bench-quick: $(VENV)/.benches $(MONAI)/.complete ## The same with small folders, ratios only (at most 2 minutes).
	$(BIN)/python -m benchmarks --quick

bench-viewer: $(VENV)/.tests ## Measure the browser viewer in a real browser (at most 4 minutes).
	$(BIN)/python -m benchmarks.viewer

screenshots: $(VENV)/.tests ## Take the viewer's pictures in docs/images anew, in a real browser.
	$(BIN)/python -m docs.screenshots

clean: ## Remove the environment and everything built; the demo's folder stays.
	rm -rf $(VENV) build dist

# ---- what the targets stand on; a stamp is renewed when what it depends on is newer

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo 'no Python 3.11 or newer found: install one, or name it: make PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo '$(PYTHON) cannot make virtual environments: install its venv package (on Debian and Ubuntu: apt-get install python3-venv)' >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.runs: $(VENV)/.made pyproject.toml hatch_build.py $(VIEWER)
	$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/.tests: $(VENV)/.runs
	$(PIP) install --quiet --editable '.[test]'
	@touch $@

$(VENV)/.benches: $(VENV)/.runs
	$(PIP) install --quiet --editable '.[bench]'
	@touch $@

$(VENV)/.lints: $(VENV)/.runs
	$(PIP) install --quiet --editable '.[test,lint]'
	@touch $@

# MONAI Label as released, in a folder of its own and without its heavy dependencies, to be compared with.
$(MONAI)/.complete: $(NEEDS) $(VENV)/.made
	rm -rf $(MONAI)
	$(PIP) install --quiet --no-deps --target $(MONAI) monailabel==0.8.5
	$(PIP) install --quiet --requirement $(NEEDS)
	@touch $@
