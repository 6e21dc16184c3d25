# Every target does the set-up that it needs. Only Python >= 3.11 and make have to be there.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
BIN    := .venv/bin
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes

.PHONY: help setup run demo test lint fmt protos web bench chaos soak fuzz lock clean
help:
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is needed (Debian: apt-get install python3-venv)"; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/.run: $(BIN)/python requirements/build.lock requirements/run.lock pyproject.toml hatch_build.py webrtc/rtp/fanout.c
	@echo "Installing the server into .venv ..."
	@$(PIP) -r requirements/build.lock -r requirements/run.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.run requirements/dev.lock requirements/clip.lock
	@echo "Installing what development and tests need into .venv ..."
	@$(PIP) --use-pep517 --no-build-isolation -r requirements/dev.lock
	@$(PIP) --no-deps -r requirements/clip.lock
	@touch $@

PAGES := mediaserver/pages/index.html
WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -type f -print 2>/dev/null)
$(PAGES): $(WEB_SOURCES) scripts/node | .venv/.run
	@echo "Building the pages ..."
	@scripts/node npm --prefix web ci --silent --no-audit --no-fund
	@scripts/node npm --prefix web run --silent build
	@touch $@

setup: .venv/.run $(PAGES) ## install the server and build the pages; leaves .venv/bin/mediaserver
web: $(PAGES) ## build the pages

run: setup ## start the server
	@exec $(BIN)/mediaserver serve

demo: setup ## start the server with a demo broadcast
	@exec $(BIN)/mediaserver demo

test: setup .venv/.dev ## the whole suite, set-up included
	@scripts/system-packages
	@$(BIN)/python -m pytest -m "not integration" --numprocesses auto --maxprocesses 4 --dist worksteal
	@$(BIN)/python -m pytest -m integration

lint: setup .venv/.dev ## style, types, imports between rooms
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@scripts/node npm --prefix web run --silent check

fmt: .venv/.dev ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

protos: .venv/.dev ## generate the code of the gRPC services from protos/*.proto
	@$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. protos/*.proto

bench: setup .venv/.dev ## benchmarks; writes benchmarks/results/*.json
	@scripts/system-packages
	@for script in rtmp_parse rtmp_publishers ladder quality hls_latency page idle audience webrtc_fanout webrtc_viewers webrtc_api; do $(BIN)/python benchmarks/$$script.py || exit 1; done

chaos: setup .venv/.dev ## break publishers, networks, clocks and the machine under a broadcast (25 min)
	@$(BIN)/python benchmarks/chaos.py

soak: setup .venv/.dev ## a long broadcast: make soak MINUTES=10
	@$(BIN)/python benchmarks/soak.py --minutes $(or $(MINUTES),10)

fuzz: setup .venv/.dev ## look for inputs that break the RTMP parsers: make fuzz MINUTES=10 (Linux on x86-64)
	@$(PIP) --no-deps -r requirements/fuzz.lock
	@$(BIN)/python benchmarks/fuzz.py --minutes $(or $(MINUTES),10)

LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet
lock: ## renew the pinned dependencies (needs uv)
	printf 'hatchling==1.33.0\nsetuptools\n' | $(LOCK) - -o requirements/build.lock
	$(LOCK) pyproject.toml -o requirements/run.lock
	$(LOCK) --extra dev -c requirements/run.lock pyproject.toml -o requirements/dev.lock

clean: ## remove everything that was made here, but not ./data
	rm -rf .venv dist web/node_modules mediaserver/pages .mypy_cache .ruff_cache .pytest_cache .hypothesis
