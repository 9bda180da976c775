# make demo    a small real study, from nothing to figures
# make test    all tests; `make coverage` says what they leave out, and takes a third longer
# make quick   the tests that take no more than a second or so: the loop while one works
# make check   formatting, lint, the layers of the packages, types
# make docs    the documentation, generated parts and site
# make study   the reference studies of docs/study, hours
# PYTHON=python3.12 chooses the interpreter of a new .venv, and of none that is there; pip's own
# settings (PIP_...) are honoured.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
INSTALLED = $(VENV)/.installed
PLUGINS = plugins/snakemake-executor-plugin-slurm-steady plugins/snakemake-logger-plugin-study
QUICK = --configfile config/quick.yaml
JOBS ?= 2

.PHONY: env demo test coverage quick check format docs study clean

env: $(INSTALLED)

$(INSTALLED): pyproject.toml $(PLUGINS:=/pyproject.toml) constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is too old; Python 3.11 or newer is needed, say PYTHON=..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt \
	  --editable '.[workflow,dev,docs]' $(addprefix --editable ,$(PLUGINS))
	@touch $@

demo: $(INSTALLED)
	@PATH="$(abspath $(BIN)):$$PATH" snakemake --logger study $(QUICK) || \
	  { echo "Commands are found after: source $(BIN)/activate"; exit 1; }
	@echo
	@echo "Next:"
	@echo "  source $(BIN)/activate"
	@echo "  reprocore status $(QUICK)                 # what is done"
	@echo "  reprocore sample charlm/relu/1 $(QUICK)   # what a model writes"
	@echo "  snakemake --logger study $(QUICK) --config 'seeds=[1,2,3,4,5]'"
	@echo "  snakemake --profile profiles/local                               # the full study"

test: $(INSTALLED)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n $(JOBS) $(PYTEST)

coverage:
	$(MAKE) test PYTEST='--cov --cov-report=term:skip-covered'

quick: $(INSTALLED)
	$(BIN)/python -m pytest -n $(JOBS) -m 'not slow' tests/unit

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/python workflow/lint.py
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

# References and the README's answer from the code and the tables, then the site in docs/_build/html.
docs: $(INSTALLED)
	$(BIN)/reprocore document
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs docs/_build/html
	@echo "site:     docs/_build/html/index.html"

# The reference studies as docs/study/protocol.md says; about 20 hours of one core, and it resumes.
study: $(INSTALLED)
	for name in config sources trained; do \
	  PATH="$(abspath $(BIN)):$$PATH" snakemake --logger study --cores $(JOBS) \
	    --configfile config/$$name.yaml --config timed=false || exit 1; \
	done
	$(BIN)/python docs/study/archive.py results docs/study/published
	$(BIN)/python docs/study/archive.py results-sources docs/study/sources
	$(BIN)/python docs/study/archive.py results-trained docs/study/trained
	$(BIN)/reprocore document

clean:
	rm -rf $(VENV) docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
