# make demo: watch identified instances go in and clean ones come out. make test: everything that CI checks.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
N      ?= 200
SEED   ?= 1
COUNT  ?= 10000
DEBIAN_PACKAGES := dcmtk dicom3tools orthanc orthanc-dicomweb strace chromium chromium-driver prometheus rsyslog rsyslog-openssl
DEBIAN_COMMANDS := storescu dciodvfy Orthanc /usr/share/orthanc/plugins/libOrthancDicomWeb.so strace chromium chromedriver promtool rsyslogd

.DEFAULT_GOAL := help
.PHONY: hunt sbom access soak fuzz help setup debian test lint types imports unit demo run bench corpus crash strace faults steps away leak e11 preserved header-exam text-exam pixel-exam face-exam tesseract systemd-exam systemd console-bench screenshots lock ner ner-venv clean

help:
	@echo "make demo     node, archive and senders on this machine: a table of before and after"
	@echo "make run      the same node staying up for any sender on loopback"
	@echo "make test     lint, types, imports and all tests"
	@echo "make bench    instances/s, CPU and memory beside DCMTK and Orthanc"
	@echo "make corpus   every file of ../shared/corpus through the node, leaks and validity checked"
	@echo "make access   who gets in: AE x address x certificate x TLS version x suite, by real tools; SAMPLE=n of each kind"
	@echo "make soak     associations and aborts, without and with TLS, N=$(N) times: what grows?"
	@echo "make crash    kill -9 of roles and at named points under load, N=$(N) times; TOTALS=file adds up runs"
	@echo "make strace   N=$(N) instances: does strace see each on the disk before its sender is answered?"
	@echo "make faults   every status and every trouble between node and archive: what comes of each"
	@echo "make away     the archive is away while N=$(N) instances arrive: delivered after, memory of each role"
	@echo "make fuzz     N=5000 broken Data Sets through the worker, broken PDUs into the socket; goes on where it ended. SEED=$(SEED)"
	@echo "make hunt     sentinels in all that reaches a node: does one show in logs, metrics, ledger, titles, crashes? EVERY=8 for a part"
	@echo "make sbom     bill of materials (CycloneDX) and list of licences into build/sbom"
	@echo "make leak     sentinels in every hiding place of an instance: does one survive? SEED=$(SEED) COUNT=$(COUNT)"
	@echo "make e11      every row of PS3.15 Table E.1-1, with every option, at every depth"
	@echo "make preserved  every file of ../shared/corpus: is what the profile keeps still the same?"
	@echo "make header-exam  a de-identification exam with an answer key; PEERS=1 for other tools on it. SEED=$(SEED)"
	@echo "make text-exam  labelled strings through the finders for free text; PEERS=1 for other tools on them. SEED=$(SEED)"
	@echo "make pixel-exam  text drawn into images of all kinds: is it masked? PEERS=1 for other tools on them. SEED=$(SEED)"
	@echo "make face-exam  heads of all kinds: what is left of their faces, beside other methods and a detector. SEED=$(SEED)"
	@echo "make screenshots  pictures of the console's pages, in both themes and 400 px wide, into OUT=build/screenshots"
	@echo "make console-bench  each page of the console beside a ledger of 1,000,000 jobs, in ms"
	@echo "make systemd-exam  how much of the machine the units of systemd/ leave open to each role"
	@echo "make ner      the network for free text from scratch: train, export, measure; CKPT=file goes on from a checkpoint"
	@echo "make clean    remove the environment, builds and caches (never var/, a spool)"

setup: $(STAMP)

$(STAMP): requirements.lock requirements-headless.lock pyproject.toml
	@if [ ! -x $(BIN)/python ]; then \
	  $(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	      apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; \
	    else \
	      echo "python3 cannot make a virtual environment; install it: apt-get install python3-venv" >&2; exit 2; \
	    fi; }; \
	  $(PYTHON) -m venv $(VENV); \
	fi
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --force-reinstall -r requirements-headless.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# The tests' peers. Tests that need one which is missing are skipped and say so.
debian:
	@missing=; for command in $(DEBIAN_COMMANDS); do [ -e $$command ] || command -v $$command >/dev/null || missing="$$missing $$command"; done; \
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

# Much of it waits, so there is one process more than cores; whole files, the slow ones first as their folders stand.
unit: setup
	$(BIN)/python -m pytest -n $$(($$(nproc) + 1)) --dist loadfile --no-loadscope-reorder

demo: setup
	@$(BIN)/python -m tests.demo

run: setup
	@exec $(BIN)/python -m tests.demo --stay

bench: setup debian
	@$(BIN)/python -m tests.benchmarks.bench

corpus: setup debian
	@$(BIN)/python -m tests.corpus

crash: setup
	@$(BIN)/python -m tests.acceptance.crash --kills $(N) $(if $(TOTALS),--totals $(TOTALS))

strace: setup debian
	@$(BIN)/python -m tests.acceptance.order --stores $(N)

faults: setup
	@$(BIN)/python -m tests.faults

steps: setup
	ALL_STEPS=1 $(BIN)/python -m pytest tests/faults/test_steps.py

away: setup
	@$(BIN)/python -m tests.faults.away --count $(N)

access: setup debian
	@$(BIN)/python -m tests.access --seed $(SEED) $(if $(SAMPLE),--sample $(SAMPLE))

soak: setup
	@$(BIN)/python -m tests.soak --associations $(N) --seed $(SEED)
	@$(BIN)/python -m tests.soak --associations $(N) --seed $(SEED) --tls

# The totals of all runs are kept in var/fuzz; PIXELS and PDUS: how many of those, by default 1 % and 10 %.
fuzz: N = 5000
fuzz: setup
	@$(BIN)/python -m tests.fuzz --seed $(SEED) --count $(N) $(if $(PIXELS),--pixels $(PIXELS)) $(if $(PDUS),--pdus $(PDUS))

hunt: setup debian
	@$(BIN)/python -m tests.hunt $(if $(EVERY),--every $(EVERY)) $(if $(PROFILE),--profile $(PROFILE))

sbom: setup
	@$(BIN)/python -m tests.sbom build/sbom

leak: setup
	@$(BIN)/python -m tests.leak --seed $(SEED) --count $(COUNT)

e11: setup
	@$(BIN)/python -m tests.standard

preserved: setup debian
	@$(BIN)/python -m tests.preserved

header-exam: setup
	@$(BIN)/python -m tests.benchmarks.header_exam --seed $(SEED) $(if $(PEERS),--peers)

text-exam: setup
	@$(BIN)/python -m tests.benchmarks.text_exam --seed $(SEED) $(if $(PEERS),--peers)

# SHOW=folder: pictures of what went wrong, before and after.
pixel-exam: setup debian $(if $(PEERS),tesseract)
	@$(BIN)/python -m tests.benchmarks.pixel_exam --seed $(SEED) $(if $(PEERS),--peers) $(if $(SHOW),--show $(SHOW))

# SHOW=folder: pictures of each head before and after.
face-exam: setup
	@$(BIN)/python -m tests.benchmarks.face_exam --seed $(SEED) $(if $(SHOW),--show $(SHOW))

tesseract:
	@command -v tesseract >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends tesseract-ocr >/dev/null; \
	  else \
	    echo "missing: tesseract; install it: apt-get install tesseract-ocr" >&2; exit 2; \
	  fi; }

screenshots: setup debian
	@$(BIN)/python -m tests.screenshots $(if $(OUT),$(OUT),build/screenshots)

console-bench: setup
	@$(BIN)/python -m tests.benchmarks.console_bench

systemd-exam: setup systemd
	@$(BIN)/python -m tests.systemd

systemd:
	@command -v systemd-analyze >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends systemd >/dev/null; \
	  else \
	    echo "missing: systemd-analyze; install it: apt-get install systemd" >&2; exit 2; \
	  fi; }

lock: setup
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --extra dev --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url \
	  --no-emit-trusted-host --no-emit-find-links --no-header --output-file requirements.lock pyproject.toml

NER      := .venv-ner
NER_LOCK := models/ner/requirements
CKPT     ?=

# PyTorch as PyPI has it for Linux on x86-64 doesn't load without CUDA's libraries (4 GB), though nothing here uses them.
# The build without CUDA is taken where pip finds it: an index that has it can be named in PIP_EXTRA_INDEX_URL.
ner-venv: $(NER)/.installed

$(NER)/.installed: $(NER_LOCK).lock $(NER_LOCK)-cpu.lock $(NER_LOCK)-cuda.lock
	test -x $(NER)/bin/python || $(PYTHON) -m venv $(NER)
	$(NER)/bin/python -m pip install --quiet --require-hashes --no-deps -r $(NER_LOCK)-cpu.lock 2>/dev/null || true
	$(NER)/bin/python -m pip install --quiet --require-hashes --no-deps -r $(NER_LOCK).lock
	$(NER)/bin/python -c 'import torch' 2>/dev/null || \
	  $(NER)/bin/python -m pip install --quiet --require-hashes --no-deps -r $(NER_LOCK)-cuda.lock
	$(NER)/bin/python -c 'import torch'
	@touch $@

# NER_OPTIONS: what models/ner/train.py is to do otherwise, for instance --samples 1000000.
ner: ner-venv
	$(NER)/bin/python -m models.ner.lexicon
	$(NER)/bin/python -m models.ner.letters
	$(NER)/bin/python -m models.ner.train $(if $(CKPT),--checkpoint $(CKPT)) $(NER_OPTIONS)
	$(NER)/bin/python -m models.ner.export models/ner/checkpoints/final.pt
	$(NER)/bin/python -m models.ner.evaluate

clean:
	rm -rf $(VENV) $(NER) .venv-peers-text .venv-peers-pixels .venv-peers-faces .pixel-exam-fonts build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
