#!/bin/sh
# New proteins as FASTA; then one that goes on from given residues.
set -e
cd "$(dirname "$0")"
logos generate protein -n 2 --valid-only --format fasta
printf '>ubi\nMQIFVKTLTGKTITLEVEPSD\n' | logos generate protein - --format fasta
