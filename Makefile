# Two commands to remember: `make demo` and `make test`. Each sets up .venv by itself.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# What `logos` needs, and what its tests and checks need besides.
READY := $(VENV)/.ready
TOOLS := $(VENV)/.tools
DEMO := .demo
# llama.cpp's AMX kernels crash as GCC 12 compiles them, and `logos` does not use them: see `logos doctor`.
AMX := $(shell grep -qm1 amx_int8 /proc/cpuinfo 2>/dev/null && echo -mno-amx-int8)
CMAKE_ARGS ?= '-DCMAKE_PROJECT_llama_cpp_INCLUDE=$(CURDIR)/llama-cpp.cmake' \
	$(if $(AMX),-DCMAKE_C_FLAGS=$(AMX) -DCMAKE_CXX_FLAGS=$(AMX))
# pip compiles llama-cpp-python only where it finds no wheel: in its cache, $$PIP_FIND_LINKS or an index.
INSTALL := env CMAKE_ARGS="$(CMAKE_ARGS)" $(BIN)/python -m pip install --verbose --progress-bar off --editable

.PHONY: demo test quick check fuzz load soak docs format clean

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "no Python 3.11 or newer (found: $(PYTHON)); run: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$@ -m pip install --quiet "pip>=23.1"

$(READY): pyproject.toml | $(BIN)/python
	@$(BIN)/python .ci/logged.py $(VENV)/setup.log "setting up $(VENV)" $(INSTALL) .
	@touch $@

$(TOOLS): pyproject.toml | $(BIN)/python
	@$(BIN)/python .ci/logged.py $(VENV)/setup.log "setting up $(VENV) with the tools of the tests" $(INSTALL) ".[dev]"
	@touch $(READY) $@

demo: $(READY)
	@mkdir -p $(DEMO)
	@echo "== 1. a checkpoint becomes an int4 GGUF: logos convert nano -o $(DEMO)/nano-int4.gguf --type int4 =="
	@$(BIN)/logos convert nano -o $(DEMO)/nano-int4.gguf --type int4
	@echo "== 2. ranked reactants for a file of drugs: logos generate retro examples/drugs.smi -m … --top 3 --format smi =="
	@$(BIN)/logos generate retro examples/drugs.smi -m $(DEMO)/nano-int4.gguf --top 3 --format smi > $(DEMO)/reactants.smi
	@head -n 12 $(DEMO)/reactants.smi
	@echo "== all of them: $(DEMO)/reactants.smi (reactants, drug, rank, how many of 32 samples) =="

# A worker for each core; every test passes in one process too: python -m pytest.
test: $(TOOLS)
	$(BIN)/python -m pytest -q -n auto --dist worksteal

# Without what takes over a third of a second: while you write.
quick: $(TOOLS)
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m "not slow"

check: $(TOOLS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy logos_cli tests

# 2,000 damaged model files through every command that reads them, about a quarter of an hour; 2,000 files of rows and 2,000
# structures first.
fuzz: $(TOOLS)
	$(BIN)/python tests/stress/fuzz_rows.py --count 2000
	$(BIN)/python tests/stress/fuzz_structures.py --count 2000
	$(BIN)/python tests/stress/fuzz.py --count 2000
	$(BIN)/python tests/stress/fuzz_server.py --count 1000

# 64 clients of a server for a minute, beside what generate does.
load: $(TOOLS)
	$(BIN)/python tests/stress/load.py --clients 64 --seconds 60

# 200,000 rows in flat memory, then 40 kills with --resume; about half an hour.
soak: $(TOOLS)
	$(BIN)/python tests/stress/soak.py

docs: $(TOOLS)
	$(BIN)/python docs/make_cli.py
	$(BIN)/python docs/make_tasks.py

format: $(TOOLS)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(DEMO) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
