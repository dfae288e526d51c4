"""Options of a run that must fit together, and its task: what the command line and the server refuse alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from logos_cli.chemistry.properties import names_of
from logos_cli.engines.sampling import BEAM_MOST
from logos_cli.errors import UsageError
from logos_cli.pipeline.annotation import KNOWN, Annotation, References
from logos_cli.pipeline.stock import read_stock
from logos_cli.tasks.answer_kinds import REACTANTS
from logos_cli.tasks.table import TASKS, spelling
from logos_cli.tasks.task import Task


def check_structure_options(
    task: Task | None,
    chain: str | None,
    pocket_from: str | None,
    cutoff: float | None,
    reads: bool = True,
    each_copy: bool = False,
    given: str = "INPUT",
    min_plddt: float | None = None,
) -> None:
    """Refuses what says how a structure is read where none is: by the task (None: by content), or as there is no input,
    which the user names by `given`."""
    options = {"--chain": chain, "--pocket-from": pocket_from, "--cutoff": cutoff, "--min-plddt": min_plddt}
    named = next((name for name, value in options.items() if value is not None), None)
    if named and task and task.wants != "sequence":
        raise UsageError(f"{named} says how a protein is read, and {task.name} takes none; leave it out")
    if named and not reads:
        raise UsageError(f"{named} says how a protein is read; give {given}, a structure")
    if each_copy and pocket_from is None:
        raise UsageError("--each-copy makes a row of each copy of what --pocket-from names; give that too")
    if cutoff is not None and pocket_from is None:
        raise UsageError("--cutoff is the distance from what --pocket-from names; give that too")
    if min_plddt is not None and pocket_from is None:
        raise UsageError("--min-plddt leaves residues out of the pocket that --pocket-from names; give that too")


def check_spelling(task: Task | None, as_written: bool, part: str) -> None:
    """Refuses --as-written where no SMILES in that `part` of a row, question or answer, would be spelled otherwise."""
    if as_written and task and part not in task.spells:
        raise UsageError(f"--as-written is for {', '.join(spelling(part))}; {task.name} takes its rows as they are")


def check_identity(task: Task, keep_identity: bool) -> None:
    """Refuses --keep-identity where no answer can be the question."""
    if keep_identity and task.repeats is None:
        able = " and ".join(one.name for one in TASKS.values() if one.repeats)
        raise UsageError(f"--keep-identity is for {able}; {task.name} has no answer that is its question")


def check_scheme(task: Task | None, scheme: str | None) -> None:
    """Refuses --scheme where nothing is an antibody."""
    if scheme and task is None:
        raise UsageError("--scheme numbers antibodies; say --task antibody")
    if scheme and task and not task.numbered:
        raise UsageError(f"--scheme numbers antibodies, and {task.name} has none; leave it out")


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


def annotation_for(
    task: Task,
    props: str | None,
    similar_to: str | None,
    scheme: str | None,
    stock: Path | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> Annotation:
    """What --props and --similar-to ask for, of tasks that answer with one molecule, --scheme, of antibodies, and --stock, of
    reactants; `note` hears of long reading."""
    if (props or similar_to) and not task.answers.one_molecule:
        raise UsageError(f"--props and --similar-to are of single molecules, which {task.name} does not answer with")
    if stock and task.answers is not REACTANTS:
        raise UsageError(f"--stock says which reactants of retro can be had; {task.name} answers with none")
    known = similar_to == KNOWN
    references = References.read(Path(similar_to)) if similar_to and not known else None
    shelf = read_stock(stock, note) if stock else None
    return Annotation(names_of(props or ""), references, known, scheme, shelf)
