#!/usr/bin/env bash
# One unattended pass on a GPU machine, in the repository's root: DIR/run.sh DIR OUT MODEL.gguf…
# Builds, checks (doctor, the tests marked cuda, which rows change which), and times MODEL… beside llama-batched-bench.
set -uo pipefail
[ $# -ge 2 ] || { echo "usage: $0 DIR OUT [MODEL.gguf…]" >&2; exit 2; }
kit=$(cd "$1" && pwd)
out=$(mkdir -p "$2" && cd "$2" && pwd)
shift 2
nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv > "$out/gpu.txt" 2>&1
[ -f "${PREFIX:-/tmp/logos-gpu}/env.sh" ] || "$kit/install.sh" > "$out/install.log" 2>&1 || { tail -5 "$out/install.log" >&2; exit 1; }
# shellcheck disable=SC1091
source "${PREFIX:-/tmp/logos-gpu}/env.sh"
python3 -m logos_cli doctor > "$out/doctor.txt" 2>&1
timeout 300 python3 -m pytest -q -m cuda tests/engines/test_cuda.py -p no:cacheprovider 2>&1 | tail -40 > "$out/tests.txt"
tail -3 "$out/tests.txt"
for model in "$@"; do timeout 120 python3 "$kit/rows.py" "$model"; done 2>&1 | tee "$out/rows.txt"
[ $# -eq 0 ] || timeout 600 python3 "$kit/speeds.py" "$@" 2>&1 | tee "$out/speeds.md"
