#!/bin/sh
# What the reactants of a reaction file give; each dot-part is a reactant of its own.
set -e
cd "$(dirname "$0")"
echo 'CC(=O)Cl.Nc1ccc(O)cc1 acylation' | logos generate react - -n 16 --top 2 --format smi
