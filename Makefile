# `make demo` shows Acervo at work on a fresh machine; `make test` proves it. Everything installs into .venv.
.DEFAULT_GOAL := help
.PHONY: help setup dev demo up test check protos lock bench eval torture clean

BIN := .venv/bin
LOCKS := $(wildcard requirements/*.txt)
PORT_BASE ?= 8080
DATA ?= data

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/.run: setup.sh pyproject.toml requirements/run.txt requirements/pymupdf.txt
	./setup.sh
	@touch $@

.venv/.dev: .venv/.run requirements/dev.txt
	./setup.sh dev
	@touch $@

setup: .venv/.run ## what running needs
dev: .venv/.dev ## what building and testing need, too

demo: setup ## start everything, take samples/ in, search; ONCE=1 ends by itself
	$(BIN)/python -m cli demo $(if $(ONCE),--once)

up: setup ## start everything on DATA and PORT_BASE, until Ctrl-C
	$(BIN)/acervo up --data $(DATA) --port-base $(PORT_BASE)

test: check ## every check and every test
	$(BIN)/pytest -q --numprocesses 2 --dist loadgroup $(PYTEST)

check: dev ## lint, types, floors, protos, sizes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code --path protos/acervo
	$(BIN)/vulture
	$(BIN)/pytest -q tests/shape

protos: dev ## write generated/ from the contracts
	$(BIN)/python protos/generate.py

lock: dev ## bring the hash-locked requirements up to date with requirements/*.in
	$(BIN)/python -m pip install --quiet uv
	for name in run edge pymupdf dev; do $(BIN)/uv pip compile --quiet --no-header --generate-hashes \
		--python-version 3.11 requirements/$$name.in -o requirements/$$name.txt; done

bench: dev ## the figures of docs/performance.md; SCALE=1000000: of so many vectors; ACERVO_TEST_DATA has real documents
	$(BIN)/python -m bench$(if $(SCALE),.scale --rows $(SCALE)) $(addprefix --profile ,$(PROFILE))

eval: dev ## how well a set is searched: DATA=folder; MODEL="bundled /path/to/another", RERANKER=name if you like
	$(BIN)/python -m bench.evaluation --data $(DATA) $(addprefix --model ,$(MODEL)) $(addprefix --reranker ,$(RERANKER))

torture: dev ## kill every process again and again while documents come in; PROFILE=production: replicas, and their servers
	$(BIN)/python -m bench.torture $(addprefix --profile ,$(PROFILE))

clean: ## forget what was built; data stays
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
