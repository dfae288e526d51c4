#!/bin/sh
# Log-likelihoods of known materials and molecules; then all single mutants of three places of an antibody, best first.
set -e
cd "$(dirname "$0")"
logos score mofs.jsonl --format csv
logos score drugs.smi --limit 3
logos score antibody.fasta --limit 1 --task antibody --mutants 99-101 --format csv | sort -t, -k12n | head -n 8
