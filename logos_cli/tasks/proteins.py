"""What the tasks about proteins share: a row's sequence, and proteins with pocket markers in grammar text."""

from __future__ import annotations

from logos_cli.chemistry.grammar import Marked, RowError, read_marked, residues
from logos_cli.chemistry.residues import STANDARD
from logos_cli.chemistry.smiles import canonical, shortened
from logos_cli.tasks.task import Input

START, END = MARKERS = ("<ProteinS>", "<ProteinE>")
POCKET_MARKERS = ("<PocketS>", "<PocketE>")
WHOLE = r"(<ProteinS>((?:(?!<Protein[SE]>).)+)<ProteinE>)"  # as a part of regular expressions; its second group is the inside


def sequence_of(row: Input) -> str:
    """Gives a row's residues. Raises RowError for a row without a sequence."""
    if not isinstance(row.value, str):
        raise RowError("no sequence in this row")
    return residues(row.value)


def reads_back(sequence: str) -> bool:
    """Whether a row with this sequence would have it, as it is, in its prompt: text given whole may hold what rows may not."""
    try:
        return residues(sequence) == sequence
    except RowError:
        return False


def marked_in(body: str, text: str, any_molecule: bool = False) -> Marked:
    """Reads the inside of a protein in `text`. With `any_molecule` a residue in markers may be one that is not known: the
    published files do not show which SMILES LOGOS has for them. Raises RowError."""
    marked = read_marked(body)
    if marked is None:
        raise RowError(f"not standard residues and pocket markers between <ProteinS> and <ProteinE>: {shortened(text)}")
    inside = dict(zip(marked.pocket, marked.inside, strict=True))
    for place, letter in enumerate(marked.sequence, 1):
        shown = inside.get(place, letter)
        if letter not in STANDARD and not (any_molecule and len(shown) > 1 and canonical(shown)):
            wanted = "a standard residue or, in pocket markers, a SMILES" if any_molecule else "a standard residue"
            raise RowError(f"residue {place} is not {wanted}: {shortened(shown)}")
    return marked
