"""Readers of the data folder: lines, JSON lines, FASTA; plain or gzip."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, through gzip if its name ends so."""
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            return stream.read().splitlines()
    return path.read_text(encoding="utf-8").splitlines()


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """One object a line."""
    return [json.loads(line) for line in read_lines(path)]


def read_fasta(path: Path) -> list[str]:
    """The sequences of a FASTA file, without their names."""
    records = "\n".join(read_lines(path)).split(">")[1:]
    return ["".join(record.split("\n")[1:]) for record in records]
