# make demo: the two-minute tour.  make test: every check.  Both create .venv first.
PYTHON ?= python3
BIN := .venv/bin
# Two test processes of one thread each use two cores better than one of two.
export OMP_NUM_THREADS_TEST ?= 1

.PHONY: setup demo test bench clean

setup: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "ganvas needs Python 3.11 or newer; name one with make PYTHON=/path/to/python3" >&2; exit 1; }
	"$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[emoji,tensorboard,dev]'
	@touch $@

demo: setup
	$(BIN)/ganvas demo

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=$(OMP_NUM_THREADS_TEST) $(BIN)/pytest --numprocesses 2

bench: setup
	$(BIN)/python benchmarks/cgan_step.py

clean:
	rm -rf .venv
