#!/bin/sh
# Antibody domains; then heavy chains that keep trastuzumab's first 98 residues and get a new CDR-H3.
set -e
cd "$(dirname "$0")"
logos generate antibody -n 2 --valid-only --format fasta
printf '>H3\nEVQLVESGGGLVQPGGSLRLSCAASGFNIKDTYIHWVRQAPGKGLEWVARIYPTNGYTRYADSVKGRFTISADTSKNTAYLQMNSLRAEDTAVYYCSR\n' | logos generate antibody - -n 4 --valid-only --format fasta
