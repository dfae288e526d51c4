# Two commands to remember: `make demo` and `make test`. Each sets up .venv by itself.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
DEMO := .demo
# llama.cpp's AMX kernels crash as GCC 12 compiles them, and `logos` does not use them: see `logos doctor`.
AMX := $(shell grep -qm1 amx_int8 /proc/cpuinfo 2>/dev/null && echo -mno-amx-int8)
# LLAVA_BUILD=OFF leaves out image input, which LOGOS has none of: a third less to compile.
CMAKE_ARGS ?= -DLLAVA_BUILD=OFF $(if $(AMX),-DCMAKE_C_FLAGS=$(AMX) -DCMAKE_CXX_FLAGS=$(AMX))

.PHONY: demo test check fuzz soak docs format clean

$(STAMP): pyproject.toml
	@echo "== setting up $(VENV): pip compiles llama-cpp-python from source, about 3 minutes on 2 cores (once) =="
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "no Python 3.11 or newer (found: $(PYTHON)); run: make PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=23.1"
	CMAKE_ARGS="$(CMAKE_ARGS)" $(BIN)/python -m pip install --progress-bar off --editable ".[dev]"
	@touch $@

demo: $(STAMP)
	@mkdir -p $(DEMO)
	@echo "== 1. a checkpoint becomes an int4 GGUF: logos convert nano -o $(DEMO)/nano-int4.gguf --type int4 =="
	@$(BIN)/logos convert nano -o $(DEMO)/nano-int4.gguf --type int4
	@echo "== 2. ranked reactants for a file of drugs: logos generate retro examples/drugs.smi -m … --top 3 --format smi =="
	@$(BIN)/logos generate retro examples/drugs.smi -m $(DEMO)/nano-int4.gguf --top 3 --format smi > $(DEMO)/reactants.smi
	@head -n 12 $(DEMO)/reactants.smi
	@echo "== all of them: $(DEMO)/reactants.smi (reactants, drug, rank, how many of 32 samples) =="

test: $(STAMP)
	$(BIN)/python -m pytest -q

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy logos_cli tests

# 2,000 damaged model files through every command that reads them, about a quarter of an hour; 2,000 files of rows and 2,000
# structures first.
fuzz: $(STAMP)
	$(BIN)/python tests/stress/fuzz_rows.py --count 2000
	$(BIN)/python tests/stress/fuzz_structures.py --count 2000
	$(BIN)/python tests/stress/fuzz.py --count 2000

# 200,000 rows in flat memory, then 40 kills with --resume; about half an hour.
soak: $(STAMP)
	$(BIN)/python tests/stress/soak.py

docs: $(STAMP)
	$(BIN)/python docs/make_cli.py
	$(BIN)/python docs/make_tasks.py

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(DEMO) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
