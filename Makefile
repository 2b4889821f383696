# What a newcomer needs: `make demo`, `make test`. Each makes its own .venv first, once, and again when pyproject.toml changes.

PYTHON ?= python3
TO ?= de
BIN := .venv/bin
INSTALLED := .venv/.installed

# The stamp holds the folder that was installed from: a moved or copied clone installs itself again.
ifneq (same,$(shell [ "$$(cat $(INSTALLED) 2>/dev/null)" = "$$(pwd -P)" ] && echo same))
.PHONY: $(INSTALLED)
endif
.PHONY: help install test slow demo format sanitize
.DEFAULT_GOAL := help

help: ## tell what there is to make
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16
	@echo 'Set PYTHON=python3.12 to build .venv with another Python, TO=zh-Hans to change the demo'"'"'s language.'

$(INSTALLED): pyproject.toml scripts/install.sh $(wildcard native/*)
	@sh scripts/install.sh .venv $(PYTHON)

install: $(INSTALLED) ## make .venv, with endash and its tools in it

test: $(INSTALLED) ## lint, check types and layers, run the tests
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest

slow: $(INSTALLED) ## run the minutes-long system tests
	$(BIN)/python -m pytest -m slow

demo: $(INSTALLED) ## train a translator on real text and show what it learned (TO=zh-Hans: another language)
	$(BIN)/python demo/run.py --to $(TO)

sanitize: ## put the native core under address, undefined and thread sanitizers (some minutes)
	sh scripts/sanitize.sh

format: $(INSTALLED) ## lay the code out as `make test` wants it
	$(BIN)/python -m ruff format
	$(BIN)/python -m ruff check --fix
