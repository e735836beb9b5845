# make demo: watch identified instances go in and clean ones come out. make test: everything that CI checks.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
N      ?= 200
SEED   ?= 1
COUNT  ?= 10000
DEBIAN_PACKAGES := dcmtk dicom3tools orthanc strace
DEBIAN_COMMANDS := storescu dciodvfy Orthanc strace

.DEFAULT_GOAL := help
.PHONY: help setup debian test lint types imports unit demo run bench corpus crash leak e11 preserved header-exam lock clean

help:
	@echo "make demo     node, archive and senders on this machine: a table of before and after"
	@echo "make run      the same node staying up for any sender on loopback"
	@echo "make test     lint, types, imports and all tests"
	@echo "make bench    instances/s, CPU and memory beside DCMTK and Orthanc"
	@echo "make corpus   every file of ../shared/corpus through the node, leaks and validity checked"
	@echo "make crash    kill -9 of random roles under load, N=$(N) times"
	@echo "make leak     sentinels in every hiding place of an instance: does one survive? SEED=$(SEED) COUNT=$(COUNT)"
	@echo "make e11      every row of PS3.15 Table E.1-1, with every option, at every depth"
	@echo "make preserved  every file of ../shared/corpus: is what the profile keeps still the same?"
	@echo "make header-exam  a de-identification exam with an answer key; PEERS=1 for other tools on it. SEED=$(SEED)"
	@echo "make clean    remove the environment, builds and caches (never var/, a spool)"

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@if [ ! -x $(BIN)/python ]; then \
	  $(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	      apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; \
	    else \
	      echo "python3 cannot make a virtual environment; install it: apt-get install python3-venv" >&2; exit 2; \
	    fi; }; \
	  $(PYTHON) -m venv $(VENV); \
	fi
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# The tests' peers. Tests that need one which is missing are skipped and say so.
debian:
	@missing=; for command in $(DEBIAN_COMMANDS); do command -v $$command >/dev/null || missing="$$missing $$command"; done; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && \
	    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(DEBIAN_PACKAGES) >/dev/null; \
	  else \
	    echo "missing:$$missing; install them: apt-get install $(DEBIAN_PACKAGES)" >&2; \
	  fi; \
	fi

test: setup debian lint types imports unit

lint: setup
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

unit: setup
	$(BIN)/python -m pytest

demo: setup
	@$(BIN)/python -m tests.demo

run: setup
	@exec $(BIN)/python -m tests.demo --stay

bench: setup debian
	@$(BIN)/python -m tests.benchmarks.bench

corpus: setup debian
	@$(BIN)/python -m tests.corpus

crash: setup
	@$(BIN)/python -m tests.acceptance.crash --kills $(N)

leak: setup
	@$(BIN)/python -m tests.leak --seed $(SEED) --count $(COUNT)

e11: setup
	@$(BIN)/python -m tests.standard

preserved: setup debian
	@$(BIN)/python -m tests.preserved

header-exam: setup
	@$(BIN)/python -m tests.benchmarks.header_exam --seed $(SEED) $(if $(PEERS),--peers)

lock: setup
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --extra dev --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url \
	  --no-emit-trusted-host --no-emit-find-links --no-header --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
