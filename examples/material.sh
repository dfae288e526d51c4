#!/bin/sh
# MOF building blocks, judged as text against known ones; then linkers for a copper paddlewheel.
set -e
cd "$(dirname "$0")"
logos generate material -n 50 > "${TMPDIR:-/tmp}/materials.jsonl"
logos evaluate "${TMPDIR:-/tmp}/materials.jsonl" --novel-against mofs.jsonl
echo "[Cu][Cu] paddlewheel" | logos generate material - -n 2
