# make demo: the two-minute tour.  make test: every check.  Both create .venv first.
PYTHON ?= python3
BIN := .venv/bin
# Two test processes of one thread each use two cores better than one of two.
export OMP_NUM_THREADS_TEST ?= 1

.PHONY: setup demo web web-test test bench clean

setup: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "ganvas needs Python 3.11 or newer; name one with make PYTHON=/path/to/python3" >&2; exit 1; }
	"$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[emoji,onnx,studio,tensorboard,dev]'
	@touch $@

demo: setup
	$(BIN)/ganvas demo

# The studio's page, from web/ into the package; needs Node 20.19 or newer.
web:
	@command -v npm >/dev/null || { echo "ganvas: the studio's page needs Node 20.19 or newer; npm was not found" >&2; exit 1; }
	cd web && npm ci && npm run build

# Without Node the page is neither checked nor built, and the tests in the browser are skipped; both say so.
web-test:
	@command -v npm >/dev/null && node -e 'const [a, b] = process.versions.node.split("."); process.exit(+a > 20 || (+a == 20 && +b >= 19) ? 0 : 1)' \
	  || { echo "ganvas: no Node 20.19 or newer: the studio's page is not tested"; exit 0; } \
	  && cd web && npm ci --no-audit --no-fund && npm run check && npm test && npm run build

test: setup web-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=$(OMP_NUM_THREADS_TEST) $(BIN)/pytest --numprocesses 2

bench: setup
	$(BIN)/python benchmarks/cgan_step.py

clean:
	rm -rf .venv
