# Everything runs in .venv, which is made when it is missing. Wants Python 3.11+, git and make.
.PHONY: demo test check bench setup clean
.DEFAULT_GOAL := help

BIN := .venv/bin
READY := .venv/.ready

help:
	@echo "make demo    run the shop pipeline, two days of it, and look at the result"
	@echo "make test    run the tests"
	@echo "make check   formatting, lint, types, import contracts"
	@echo "make bench   measure the figures in the README"
.PHONY: help

$(READY): pyproject.toml uv.lock .ci/setup
	@echo "setting up .venv (once)"
	@.ci/setup
	@touch $(READY)

setup: $(READY)

demo: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh .ci/demo demo

test: $(READY)
	$(BIN)/pytest -n 2 --dist worksteal

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m benchmarks

clean:
	rm -rf demo .venv-oldest
