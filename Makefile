# Needs python3 (3.11 or newer), python3-venv and make; everything else goes into .venv.
# PYTHON=python3.13 chooses the interpreter, ARGS="…" is handed on to what is started.

PYTHON ?=
ARGS ?=
PIP = .venv/bin/python -m pip --quiet --disable-pip-version-check install --constraint constraints.txt
# Debian keeps ensurepip in the package python3-venv: without it a venv would come out without pip.
SUITABLE = -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test lint bench clean distclean FORCE

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1@\2/p' Makefile | awk -F@ '{ printf "%-18s%s\n", $$1, $$2 }'

demo: .venv/.installed ## watch a simulated workspace, no account needed (ARGS="--once")
	@.venv/bin/flowy-watch demo $(ARGS)

test: lint ## every check, then the tests with branch coverage (ARGS="-k cap")
	.venv/bin/python -m pytest --cov -rs $(ARGS)

lint: .venv/.installed-dev ## style, types and the direction of imports
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

bench: .venv/.installed-dev ## time and memory of every bench/*.py
	@set -e; for file in bench/[!_]*.py; do \
	    [ -e "$$file" ] || { echo "bench/ holds no benchmark"; break; }; \
	    echo "== $$file"; \
	    .venv/bin/python "$$file" $(ARGS); \
	done

clean: ## remove what builds and tests leave behind
	rm -rf build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find flowy_watch tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## … and the .venv
	rm -rf .venv

# The build backend comes first and from the constraints: an isolated build would fetch its own, unpinned.
.venv/.installed: pyproject.toml constraints.txt .venv/.created
	@echo "Installing flowy-watch into .venv …"
	@$(PIP) hatchling
	@$(PIP) --no-build-isolation --editable .
	@touch $@

.venv/.installed-dev: pyproject.toml constraints.txt .venv/.created
	@echo "Installing flowy-watch and the development tools into .venv …"
	@$(PIP) hatchling
	@$(PIP) --no-build-isolation --editable '.[dev]'
	@touch .venv/.installed $@

# Asked every time, because PYTHON may have changed; the stamp moves only when the .venv is made anew.
.venv/.created: FORCE
	@for python in $(if $(PYTHON),"$(PYTHON)",.venv/bin/python python3 python3.14 python3.13 python3.12 python3.11); do \
	    if "$$python" $(SUITABLE) 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "$(or $(PYTHON),python3) is missing, is older than 3.11 or cannot make a venv." >&2; \
	    echo "On Debian and Ubuntu: apt-get install python3 python3-venv. Elsewhere: make PYTHON=/path/to/python3.12" >&2; \
	    exit 1; \
	fi; \
	if .venv/bin/python -c 'import pip' 2>/dev/null && [ "$$(.venv/bin/python -V)" = "$$("$$found" -V)" ]; then \
	    [ -e $@ ] || touch $@; \
	else \
	    echo "Making .venv with $$("$$found" -V) …"; \
	    "$$found" -m venv --clear .venv && touch $@; \
	fi

FORCE:
