# Two commands are all a new user needs: `make demo` (the main job) and `make test`.
SHELL := /bin/bash
BIN := .venv/bin
SUDO := $(if $(filter 0,$(shell id -u)),,sudo -E)
DATA_DIR ?= $(HOME)/.local/share/smc

.PHONY: demo test check docs up agent appliance unit kernel machines long test-machines bench-files setup clean

demo: setup agent appliance  ## a live Linux server becomes an image that boots, judged from outside
	$(BIN)/python -m demo.run

test: setup check unit kernel machines  ## every ring that a new machine can run
	@echo "make test: PASSED"

check: setup  ## lint, types, layers
	$(BIN)/ruff check src tests demo packaging docs benchmarks setup.py
	$(BIN)/ruff format --check src tests demo packaging docs benchmarks setup.py
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/architecture

docs: setup  ## the pages of docs/reference that are made from the code
	$(BIN)/python -m docs.generate

unit: setup  ## no root, no network, no programs
	$(BIN)/pytest -q -n auto --dist worksteal tests/unit tests/conformance tests/chaos

kernel: setup agent  ## loop devices, mounts, namespaces: needs root
	$(SUDO) $(BIN)/pytest -q tests/kernel

machines: setup agent appliance  ## boots virtual machines
	$(BIN)/pytest -q tests/machines

long: setup agent appliance  ## machines too, a quarter of an hour each: no part of `make test`
	$(BIN)/pytest -q tests/long

test-machines: setup agent appliance  ## a matrix of sources, each migrated and booted; ONLY=id,id AGAIN=1; hours
	$(BIN)/python -m tests.matrix.run

bench-files: setup  ## the file engine against rsync: build/bench/files.json; needs root, half an hour
	@bash packaging/install.sh packaging/apt-packages-bench.txt
	$(SUDO) $(BIN)/python -m benchmarks.files

up: setup agent appliance  ## center and local cloud, until Ctrl-C
	$(BIN)/smc serve --data-dir $(DATA_DIR)

agent: setup  ## the one-file agent: build/smc-agent
	$(BIN)/python packaging/agent/build.py

appliance: setup  ## the system image of intermediate instances, cached in ~/.cache/smc
	$(BIN)/smc appliance

setup: build/.setup

build/.setup: build/.environment setup.py $(wildcard src/native/*)
	@bash packaging/extension.sh
	@touch $@

build/.environment: packaging/setup.sh packaging/install.sh packaging/apt-packages.txt packaging/constraints.txt pyproject.toml
	bash packaging/setup.sh
	@mkdir -p build && touch $@

clean:  ## what was built here; the cache in ~/.cache/smc stays
	rm -rf build .venv
