"""Options that several commands share: one text and one meaning everywhere."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from logos_cli.errors import UsageError


class Format(StrEnum):
    jsonl = "jsonl"
    smi = "smi"
    csv = "csv"
    fasta = "fasta"


class Decode(StrEnum):
    sample = "sample"
    beam = "beam"


class ScoreFormat(StrEnum):
    jsonl = "jsonl"
    csv = "csv"


class Scheme(StrEnum):
    imgt = "imgt"
    kabat = "kabat"
    chothia = "chothia"


class Form(StrEnum):
    wrapped = "wrapped"
    protein = "protein"
    smiles = "smiles"


def task_names(incomplete: str) -> list[str]:
    """For the shell's completion."""
    from logos_cli.tasks.table import TASKS

    return [name for name in TASKS if name.startswith(incomplete)]


def scheme_names(incomplete: str) -> list[str]:
    """For the shell's completion."""
    from logos_cli.quant.schemes import ALIASES, SCHEMES

    return [name for name in (*ALIASES, *SCHEMES) if name.startswith(incomplete)]


Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="GGUF file, ONNX folder, http://host:port/v1#name, or nano. Default: $LOGOS_MODEL, else nano.",
        show_default=False,
    ),
]
ResultOut = Annotated[
    Path | None, typer.Option("--out", "-o", help="File for the JSON document. Default: stdout.", show_default=False)
]
ResumeResult = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted -o run.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="File to write; for ONNX a folder.")]
Type = Annotated[
    str | None,
    typer.Option(
        "--type",
        help="f32 f16 bf16, int8 int4 (default), or q8_0 q6_k q5_k_m q4_k_m q4_0 iq4_xs.",
        metavar="TYPE",
        autocompletion=scheme_names,
        show_default=False,
    ),
]
ConvertType = Annotated[
    str | None,
    typer.Option(
        "--type",
        help="f32 f16 bf16, int8 int4, or q8_0 q6_k q5_k_m q4_k_m q4_0 iq4_xs; ONNX: f32 f16 int8 int4. "
        "Default: bf16, ONNX f32.",
        metavar="TYPE",
        autocompletion=scheme_names,
        show_default=False,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="CPU threads. Default: the cores this process may use.", show_default=False),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first ROWS rows.", show_default=False)]
ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        help="I/N: only rows I, I+N, … of the input, from 0, for logos merge; slurm: by its job array.",
        metavar="I/N|slurm",
        show_default=False,
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray",
        help="Answer on a Ray cluster: local starts one here, auto or HOST:PORT joins one.",
        metavar="ADDRESS",
        show_default=False,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Engines on the cluster. Default: one a node, or one a GPU.", show_default=False),
]
Ship = Annotated[bool, typer.Option("--ship", help="Send the model to nodes that have no file of that path.")]
_NAMED = "Column of a table, key of JSON lines, data field of an SDF."
SmilesColumn = Annotated[str | None, typer.Option("--smiles-column", help=_NAMED, show_default=False)]
SequenceColumn = Annotated[str | None, typer.Option("--sequence-column", help=_NAMED, show_default=False)]
IdColumn = Annotated[str | None, typer.Option("--id-column", help=_NAMED, show_default=False)]
NoHeader = Annotated[bool, typer.Option("--no-header", help="The first line of a table is a row; columns are 1, 2, …")]
Chain = Annotated[
    str | None,
    typer.Option(
        "--chain",
        "--chains",
        help="Of a structure; A,B or all as one row. Default: most contacts, else the longest.",
        show_default=False,
    ),
]
PocketFrom = Annotated[
    str | None,
    typer.Option(
        "--pocket-from",
        help="Ligand of the structure (STI, STI:A:201, auto), chain:B, a ligand's file, or residues: A:57,A:25-30.",
        show_default=False,
    ),
]
Cutoff = Annotated[
    float | None,
    typer.Option("--cutoff", min=0.1, help="Å between heavy atoms of ligand and pocket. Default: 4.5.", show_default=False),
]
MinPlddt = Annotated[
    float | None,
    typer.Option(
        "--min-plddt",
        min=0,
        max=100,
        help="Residues of a predicted structure below it are left out of the pocket.",
        show_default=False,
    ),
]
PlddtInBfactors = Annotated[
    bool, typer.Option("--plddt-in-bfactors", help="The structure's B-factors are pLDDT, though its file does not say so.")
]
EachCopy = Annotated[bool, typer.Option("--each-copy", help="A row of each copy of the ligand that --pocket-from names.")]
LigandForm = Annotated[
    Form | None,
    typer.Option("--form", help="How ligand shows the protein. Default: wrapped, its pocket in markers.", show_default=False),
]
Profile = Annotated[
    str, typer.Option("--profile", help="How the model is asked: logos, naturelm, or a FILE.toml.", metavar="PROFILE")
]
AsWritten = Annotated[
    bool, typer.Option("--as-written", help="SMILES go in as they are spelled, not in RDKit's canonical form.")
]
KeepIdentity = Annotated[
    bool, typer.Option("--keep-identity", help="An answer of retro or react that is the question counts as valid.")
]
NumberingScheme = Annotated[
    Scheme | None,
    typer.Option("--scheme", help="Number antibodies by it; regions of --mutants go by it too.", show_default=False),
]


def checked_device(asked: str) -> str:
    """`asked` if it can be a device. Raises UsageError for what cannot."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", asked):
        raise UsageError(f"--device {asked} is none; give auto, cpu, cuda, or cuda:N for one of several cards")
    return asked


DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        help="auto, cpu, cuda or cuda:N; auto takes a GPU if the runtime was built for it.",
        metavar="DEVICE",
        callback=checked_device,
    ),
]


def show_log(asked: bool) -> None:
    if asked:
        from logos_cli.engines.llamacpp import library as engine_llamacpp_library

        engine_llamacpp_library.show_log()


Debug = Annotated[bool, typer.Option("--debug", callback=show_log, help="Show llama.cpp's log and the traceback of an error.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
