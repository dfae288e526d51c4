"""logos inspect logos-1b-int4.gguf"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from logos_cli.errors import CheckpointError, LogosError, ModelFileError
from logos_cli.terminal import options

if TYPE_CHECKING:
    from logos_cli.inspection.inspection import Inspection

WIDTH = 80


def inspect(
    model: Annotated[
        str,
        typer.Argument(
            help="GGUF file, ONNX folder, folder of a checkpoint, address of a server, or nano.",
            metavar="MODEL",
            show_default=False,
        ),
    ],
    quick: Annotated[bool, typer.Option("--quick", help="Read the header only, not the weights.")] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Show what a model is, and whether the file is whole.

    \b
    Example: logos inspect logos-1b-int4.gguf
    """
    from logos_cli.terminal.model_word import address_of

    if address := address_of(model):
        show_server(address, as_json)
        return
    found = inspected(model, quick)
    if as_json:
        sys.stdout.write(json.dumps(document(found), indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(shown(found)) + "\n")
    if found.problems:
        sys.stdout.flush()
        error: type[LogosError] = CheckpointError if found.format == "checkpoint" else ModelFileError
        problem = found.problems[0]
        raise error(f"{found.path}: {problem}{'' if ';' in problem else '; copy, download or convert it again'}")


def show_server(address: str, as_json: bool) -> None:
    from logos_cli.inspection.of_server import inspect_server, server_facts

    found = inspect_server(address)
    lines = [found.address, *listed(server_facts(found))]
    sys.stdout.write((json.dumps(asdict(found), indent=2) if as_json else "\n".join(lines)) + "\n")


def listed(facts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Names and texts in lines of at most 80 columns."""
    for name, text in facts:
        lead = f"  {name:<13}"
        yield from wrap(
            text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead), break_on_hyphens=False, break_long_words=False
        )


def inspected(model: str, quick: bool) -> Inspection:
    from logos_cli.models.model_file import is_onnx
    from logos_cli.terminal.console import progress
    from logos_cli.terminal.model_word import model_path

    path = model_path(model)
    if path.is_file() and path.suffix == ".safetensors":
        raise CheckpointError(f"{path}: weights of a checkpoint; name its folder, {path.parent}")
    if is_onnx(path):
        from logos_cli.inspection.of_onnx import inspect_onnx

        data = path / "model.onnx.data"
        inspect_any, total = inspect_onnx, data.stat().st_size if data.is_file() else 0
    elif path.is_dir():
        from logos_cli.inspection.of_checkpoint import inspect_checkpoint

        inspect_any, total = inspect_checkpoint, sum(file.stat().st_size for file in path.glob("*.safetensors"))
    else:
        from logos_cli.inspection.of_gguf import inspect_gguf

        inspect_any, total = inspect_gguf, path.stat().st_size if path.is_file() else 0
    with progress(f"reading {path.name}", total, "bytes") as bar:
        found = inspect_any(path, quick, bar.advance)
    if found.format == "checkpoint":
        missing = [f"marker {name} " for name in found.vocabulary.missing]
        found.problems.extend(p for p in what_convert_would_say(path) if not any(text in p for text in missing))
    return found


def what_convert_would_say(path: Path) -> Iterator[str]:
    """Why the side files of a checkpoint could not be converted; a missing marker is shown in a line of its own."""
    from logos_cli.convert.gguf_vocab import read_vocab
    from logos_cli.convert.preconditions import check_sampling
    from logos_cli.models.checkpoint import Checkpoint

    for check in (read_vocab, check_sampling):
        try:
            check(Checkpoint.open(path))
        except LogosError as error:
            yield str(error).removeprefix(f"{path}/")


def document(found: Inspection) -> dict[str, Any]:
    return {
        **asdict(found),
        "path": str(found.path),
        "parameters": found.parameters,
        "bits_per_weight": round(found.bits_per_weight, 3),
    }


def shown(found: Inspection) -> Iterator[str]:
    """Lines of at most 80 columns."""
    from logos_cli.inspection.facts import facts
    from logos_cli.system.quantities import size

    yield str(found.path)
    yield from listed(facts(found))
    yield ""
    yield f"  {'tensors':<26} {'count':>6}  {'type':<7} {'parameters':>15}  {'size':>9}"
    for group in found.tensors:
        yield (
            f"  {group.kind[:26]:<26} {group.count:>6}  {group.type.lower():<7} {group.parameters:>15,}  {size(group.bytes):>9}"
        )
