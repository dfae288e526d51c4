"""What the name of an output promises, and whether that is what will be written there."""

from __future__ import annotations

from pathlib import Path

from logos_cli.errors import UsageError

# Endings that promise a format, by what this tool calls it. Others (.txt, .tsv, .out) promise nothing.
_PROMISES = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".smi": "smi", ".smiles": "smi", ".ism": "smi", ".fasta": "fasta",
    ".fa": "fasta", ".faa": "fasta", ".json": "json", ".gguf": "gguf", ".onnx": "onnx", ".safetensors": "safetensors",
    ".gz": "compressed", ".bz2": "compressed", ".xz": "compressed", ".zst": "compressed", ".zip": "compressed",
    ".html": "page", ".md": "page", ".svg": "picture", ".png": "picture", ".sdf": "structure", ".pdb": "structure",
    ".cif": "structure", ".xlsx": "workbook", ".parquet": "parquet",
}  # fmt: skip
_ALSO = {"jsonl": (".json",)}  # read by many as lines, too


def check_name(out: Path, written: str, remedy: str) -> None:
    """Raise UsageError for a name that promises another format than `written` (jsonl, csv, smi, fasta, json, gguf, onnx)."""
    suffix = out.suffix.lower()
    promised = _PROMISES.get(suffix, written)
    if promised != written and suffix not in _ALSO.get(written, ()):
        raise UsageError(f"-o {out}: {written} would be written under a name that says {suffix}; {remedy}")


def file_or_stdout(out: Path | None) -> Path | None:
    """None, which is stdout, for `-` too."""
    return None if out is not None and str(out) == "-" else out


def check_no_stream(out: Path) -> None:
    """Raise UsageError for `-` where a model is written: that is done at many places, not as a stream."""
    if str(out) == "-":
        raise UsageError("-o -: a model cannot go to stdout; name a file, for ONNX a folder")
