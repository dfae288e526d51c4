#!/bin/sh
# New molecules with properties and their nearest known drug; then molecules that go on from a beginning.
set -e
cd "$(dirname "$0")"
logos generate molecule -n 8 --valid-only --props mw,logp,qed,sa --similar-to drugs.smi --format smi
echo 'O=C(O)c1ccc( benzoic_acids' | logos generate molecule - -n 8 --valid-only --format smi
