# make demo and make test do all set-up on a machine that has Python 3.11 or newer, git and make.

ifdef PYTHON
export UV_PYTHON := $(PYTHON)
else
PYTHON := python3
endif
UV := $(or $(shell uv --version >/dev/null 2>&1 && command -v uv),.uv/bin/uv)
INSTALLED := .venv/.installed
export UV_PROJECT_ENVIRONMENT := .venv
# Compiled once, for every process to come: torch takes twice as long to import where it is compiled each time.
export UV_COMPILE_BYTECODE := 1

.PHONY: help install demo test lint docs format constraints clean

help:
	@echo "make demo         install everything and run the demo suite; prints its leaderboard"
	@echo "make test         run the tests"
	@echo "make lint         check style and types"
	@echo "make docs         build the documentation into docs/_build/html; a warning is an error"
	@echo "make format       put the code into the common format"
	@echo "make constraints  pin the newest versions in constraints.txt"
	@echo "make clean        remove what was installed, built and cached (data and runs are kept)"

install: $(INSTALLED)

demo: $(INSTALLED)
	@$(UV) run --no-sync ferbench run --suite demo --out demo-runs

test: $(INSTALLED)
	@$(UV) run --no-sync pytest -q -n auto --maxprocesses 8 --dist loadfile

lint: $(INSTALLED)
	@$(UV) run --no-sync ruff check --quiet --output-format concise .
	@$(UV) run --no-sync ruff format --quiet --check . || { echo "Some files are not in the common format: make format mends it." >&2; exit 1; }
	@$(UV) run --no-sync mypy
	@for plugin in plugins/*/; do $(UV) run --no-sync mypy $${plugin}src $${plugin}tests || exit 1; done

docs: $(INSTALLED)
	@$(UV) run --no-sync sphinx-build --quiet --fail-on-warning --keep-going -d docs/_build/doctrees docs docs/_build/html
	@echo "The documentation is docs/_build/html/index.html"

format: $(INSTALLED)
	@$(UV) run --no-sync ruff check --quiet --fix .
	@$(UV) run --no-sync ruff format .

# uv.lock is not kept in git (it names the registry that it was made with); constraints.txt pins the versions instead,
# and every lock is made from it.
$(INSTALLED): constraints.txt pyproject.toml $(wildcard plugins/*/pyproject.toml) | $(UV)
	@test -d .venv || echo "Installing into .venv. The first time this brings about 6 GB, most of it PyTorch with CUDA."
	@sed 's/^/--upgrade-package /' constraints.txt | xargs $(UV) lock --quiet
	@$(UV) sync
	@touch $@

.uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ferbench needs Python 3.11 or newer, and $(PYTHON) is older or missing. Name another one: make PYTHON=python3.12" >&2; exit 1; }
	@echo "uv is not installed: bringing it into .uv"
	@$(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check uv

constraints: | $(UV)
	@$(UV) pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --upgrade \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links --group dev \
		--output-file .constraints.new pyproject.toml
	@sed -e '/^-e /d' -e 's/ *;.*//' .constraints.new > constraints.txt
	@rm .constraints.new

clean:
	rm -rf .venv .uv uv.lock dist build docs/_build docs/reference .pytest_cache .ruff_cache .mypy_cache .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
