#!/bin/sh
# Molecules for the pocket around the ligand ZYB, with properties; then for residues named by number.
set -e
cd "$(dirname "$0")"
logos generate ligand 4cup.cif.gz --pocket-from ZYB -n 8 --valid-only --props mw,logp,qed --format smi
logos generate ligand 1gbt.cif.gz --pocket-from A:57,A:102,A:189,A:195 -n 4 --valid-only --format smi
