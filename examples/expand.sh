#!/bin/sh
# A pocket with its residues written out as SMILES.
set -e
cd "$(dirname "$0")"
logos generate expand proteins.fasta --pocket-from 8,44,68 --limit 1
