#!/bin/sh
# Ranked reactants for a library on a Slurm cluster: an array of shards, and a job that merges them when all have ended well.
#   INPUT=library.smi LOGOS_MODEL=logos-1b-int4.gguf sh submit.sh
set -e
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p parts
array=$(sbatch --parsable "$@" "$here/generate.sbatch")
sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes "$here/merge.sbatch"
