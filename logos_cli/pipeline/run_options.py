"""Options of a run that must fit together, and its task: what the command line and the server refuse alike."""

from __future__ import annotations

from pathlib import Path

from logos_cli.chemistry.properties import names_of
from logos_cli.engines.sampling import BEAM_MOST
from logos_cli.errors import UsageError
from logos_cli.pipeline.annotation import Annotation, References
from logos_cli.tasks.table import Task


def check_structure_options(
    task: Task | None,
    chain: str | None,
    pocket_from: str | None,
    cutoff: float | None,
    reads: bool = True,
    each_copy: bool = False,
) -> None:
    """Refuses what says how a structure is read where none is: by the task (None: by content), or as there is no input."""
    given = {"--chain": chain, "--pocket-from": pocket_from, "--cutoff": cutoff}
    named = next((name for name, value in given.items() if value is not None), None)
    if named and task and task.wants != "sequence":
        raise UsageError(f"{named} says how a protein is read, and {task.name} takes none; leave it out")
    if named and not reads:
        raise UsageError(f"{named} says how a protein is read; give INPUT, a structure")
    if each_copy and pocket_from is None:
        raise UsageError("--each-copy makes a row of each copy of what --pocket-from names; give that too")
    if cutoff is not None and pocket_from is None:
        raise UsageError("--cutoff is the distance from what --pocket-from names; give that too")


def check_spelling(task: Task | None, as_written: bool, tasks: tuple[str, ...]) -> None:
    """Refuses --as-written where no SMILES of a row would be spelled otherwise."""
    if as_written and task and task.name not in tasks:
        raise UsageError(f"--as-written is for {', '.join(tasks)}; {task.name} takes its rows as they are")


def check_identity(task: Task, keep_identity: bool) -> None:
    if keep_identity and task.repeats is None:
        raise UsageError(f"--keep-identity is for retro and react; {task.name} has no answer that is its question")


def check_merging(task: Task, top: int | None, bfactors: Path | None, consensus: float | None) -> None:
    """Refuses options of merged samples where none are merged."""
    name = "--bfactors" if bfactors is not None else "--consensus" if consensus is not None else ""
    if name and not task.merges:
        raise UsageError(f"{name} is for what pocket --top finds; {task.name} finds no pocket")
    if name and top is None:
        raise UsageError(f"{name} is for what pocket --top finds; add --top 1")


def beam_of(task: Task, decode: str, top: int | None, width: int | None, drawn: list[str]) -> int:
    """The width of the beam, 0 for draws; `drawn` are the options given that only draws have. Raises UsageError."""
    if decode != "beam":
        if width is not None:
            raise UsageError("--beam-width is for a beam search; add --decode beam --top K")
        return 0
    if top is None:
        raise UsageError("--decode beam finds the likeliest answers; say how many: --top K")
    if task.merges:
        raise UsageError(f"{task.name} --top merges samples, which a beam search does not draw; leave out --decode beam")
    if drawn:
        raise UsageError(f"{drawn[0]} is for draws, and a beam search makes none; leave it out")
    width = width or max(2 * top, 16)
    if not top <= width <= BEAM_MOST:
        raise UsageError(f"a beam of {width} answers for --top {top}; it takes at least --top and at most {BEAM_MOST}")
    return width


def annotation_for(task: Task, props: str | None, similar_to: Path | None) -> Annotation:
    """What --props and --similar-to ask for, of tasks that answer with one molecule."""
    if (props or similar_to) and (task.writes != "smiles" or task.name == "retro"):
        raise UsageError(f"--props and --similar-to are of single molecules, which {task.name} does not answer with")
    return Annotation(names_of(props or ""), References.read(similar_to) if similar_to else None)
