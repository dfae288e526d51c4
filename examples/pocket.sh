#!/bin/sh
# Binding residues by vote of 16 samples, and a structure to look at, coloured by how often each residue was named.
set -e
cd "$(dirname "$0")"
logos generate pocket 4cup.cif.gz -n 16 --top 1 --consensus 0.2 --bfactors "${TMPDIR:-/tmp}"
logos generate pocket proteins.fasta -n 8 --top 1 --format csv
