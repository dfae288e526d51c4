#!/bin/sh
# Ranked reactants for products that come as SDF.
set -e
cd "$(dirname "$0")"
logos generate retro drugs.sdf --top 2 --format smi
