"""Prompts and answers of the tasks about proteins: protein, antibody, pocket, ligand, expand.

The prompts of `pocket` and `ligand` are those of the published scripts. Which of three forms the ligand script used is not
published, nor any prompt of `protein`, `antibody` and `expand`: these are cut from the grammar's sequences.
"""

from __future__ import annotations

import re

from logos_cli.chemistry.grammar import Marked, RowError, pocket_places, protein, read_marked, residues, usable
from logos_cli.chemistry.residues import STANDARD
from logos_cli.chemistry.smiles import canonical, shortened
from logos_cli.rows.row import Row
from logos_cli.tasks.task import Answer, Prompt, body_of, invalid

FORMS = ("wrapped", "protein", "smiles")
_PROTEIN = r"(<ProteinS>((?:(?!<Protein[SE]>).)+)<ProteinE>)"
_SEARCH = re.compile(rf"{_PROTEIN}(?:<Search>(?:<ProteinS>(?:(.+?)(?:<ProteinE>)?)?)?)?")
_COMPLEX = re.compile(rf"{_PROTEIN}(?:<MoleculeS>(?:(.+)<MoleculeE>)?)?")
_TRANS = re.compile(rf"{_PROTEIN}(?:<Trans>(?:<ProteinS>(?:(.+?)(?:<ProteinE>)?)?)?)?")
USUAL_STEP = 8  # every eighth residue in pocket markers: about what pockets have


def sequence_of(row: Row) -> str:
    if not isinstance(row.value, str):
        raise RowError("no sequence in this row")
    return residues(row.value)


def marked_in(body: str, text: str, any_molecule: bool = False) -> Marked:
    """With `any_molecule` a residue in markers may be one that is not known: the published files do not show which SMILES
    LOGOS has for them. Raises RowError."""
    found = read_marked(body)
    if found is None:
        raise RowError(f"not standard residues and pocket markers between <ProteinS> and <ProteinE>: {shortened(text)}")
    inside = dict(zip(found.pocket, found.inside, strict=True))
    for place, letter in enumerate(found.sequence, 1):
        shown = inside.get(place, letter)
        if letter not in STANDARD and not (any_molecule and len(shown) > 1 and canonical(shown)):
            wanted = "a standard residue or, in pocket markers, a SMILES" if any_molecule else "a standard residue"
            raise RowError(f"residue {place} is not {wanted}: {shortened(shown)}")
    return found


def protein_prompt(row: Row) -> Prompt:
    return chain_prompt(row, "Protein")


def antibody_prompt(row: Row) -> Prompt:
    return chain_prompt(row, "Antibody")


def chain_prompt(row: Row, name: str) -> Prompt:
    """From nothing, or from the first residues of a sequence."""
    start = f"<{name}S>"
    if row.text is not None:
        if not row.text.startswith(start):
            raise RowError(f"the text is not {start} and perhaps residues: {shortened(row.text)}")
        given = row.text.removeprefix(start)
    else:
        given = row.value if isinstance(row.value, str) else ""
    prefix = residues(given) if given else ""
    return Prompt(start + prefix, prefix, prefix=prefix)


def known_protein(row: Row) -> tuple[str, str] | None:
    return known_chain(row, "Protein")


def known_antibody(row: Row) -> tuple[str, str] | None:
    return known_chain(row, "Antibody")


def known_chain(row: Row, name: str) -> tuple[str, str] | None:
    start, end = f"<{name}S>", f"<{name}E>"
    if row.text is not None:
        return (start, row.text.removeprefix(start)) if row.text.startswith(start) else None
    return start, sequence_of(row) + end


def parse_protein(text: str, finish: str, prompt: Prompt) -> Answer:
    return parse_chain(text, finish, prompt, "Protein")


def parse_antibody(text: str, finish: str, prompt: Prompt) -> Answer:
    return parse_chain(text, finish, prompt, "Antibody")


def parse_chain(text: str, finish: str, prompt: Prompt, name: str) -> Answer:
    body = body_of(text, finish, f"<{name}E>")
    if not isinstance(body, str):
        return body
    value = prompt.prefix + body
    if not value:
        return invalid("empty sequence")
    for place, letter in enumerate(value, 1):
        if letter not in STANDARD:
            return invalid(f"{shortened(letter)!r} at residue {place} is not a standard residue", value)
    return Answer(value, True, value)


def pocket_prompt(row: Row) -> Prompt:
    if row.text is not None:
        match = _SEARCH.fullmatch(row.text)
        if match is None:
            raise RowError(f"the text is not <ProteinS>AA<ProteinE><Search><ProteinS>: {shortened(row.text)}")
        given = marked_in(match[2], row.text)
        answered = marked_in(match[3], row.text) if match[3] else given
        sequence, truth = given.sequence, answered.pocket
    else:
        sequence = sequence_of(row)
        truth = pocket_places(row.pocket, sequence)
    return Prompt(
        protein(sequence) + "<Search><ProteinS>", sequence, sequence=sequence, least=sequence + "<ProteinE>",
        usual=protein(sequence, range(1, len(sequence) + 1, USUAL_STEP)), truth=list(truth) or None,
    )  # fmt: skip


def known_pocket(row: Row) -> tuple[str, str] | None:
    prompt = pocket_prompt(row)
    return (prompt.text, protein(prompt.sequence, prompt.truth).removeprefix("<ProteinS>")) if prompt.truth else None


def parse_pocket(text: str, finish: str, prompt: Prompt) -> Answer:
    """Valid if the protein is repeated exactly: only then do places in the answer mean places in the protein."""
    body = body_of(text, finish, "<ProteinE>")
    if not isinstance(body, str):
        return body
    found = read_marked(body)
    if found is None:
        return invalid("not residues and pocket markers")
    if found.sequence != prompt.sequence:
        return invalid(f"repeats another protein: {difference(found.sequence, prompt.sequence)}")
    return Answer(list(found.pocket), True, str(list(found.pocket)))


def difference(found: str, wanted: str) -> str:
    for place, (one, other) in enumerate(zip(found, wanted, strict=False), 1):
        if one != other:
            return f"residue {place} is {one}, not {other}"
    return f"{len(found)} residues, not {len(wanted)}"


def ligand_prompt(row: Row, form: str = FORMS[0]) -> Prompt:
    """A complex cut before its ligand. Text given whole goes in as it is."""
    if row.text is not None:
        match = _COMPLEX.fullmatch(row.text)
        if match is None:
            raise RowError(f"the text is not <ProteinS>…<ProteinE><MoleculeS>: {shortened(row.text)}")
        given = marked_in(match[2], row.text, any_molecule=True)
        shown, sequence, pocket = match[1], given.sequence, given.pocket
        ligand = usable(match[3], as_written=True) if match[3] else None
    else:
        sequence = sequence_of(row)
        pocket = pocket_places(row.pocket, sequence)
        if not pocket and form != "protein":
            raise RowError("no pocket in this row; give --pocket-from, a pocket in the input, or --form protein")
        shown = protein(sequence, () if form == "protein" else pocket, smiles=form == "smiles")
        ligand = row.ligand
    return Prompt(shown + "<MoleculeS>", sequence, sequence=sequence, pocket=pocket, truth=ligand)


def known_ligand(row: Row, form: str = FORMS[0], as_written: bool = False) -> tuple[str, str] | None:
    prompt = ligand_prompt(row, form)
    ligand = prompt.truth or (row.truth if isinstance(row.truth, str) else None)
    if not ligand:
        return None
    smiles = ligand.removeprefix("<MoleculeS>").removesuffix("<MoleculeE>")
    return prompt.text, usable(smiles, as_written or row.text is not None) + "<MoleculeE>"


def expand_prompt(row: Row) -> Prompt:
    """A protein with its pocket residues in markers, to be written again with those residues as SMILES."""
    if row.text is not None:
        match = _TRANS.fullmatch(row.text)
        if match is None:
            raise RowError(f"the text is not <ProteinS>…<ProteinE><Trans>: {shortened(row.text)}")
        given = marked_in(match[2], row.text)
        sequence, pocket, truth = given.sequence, given.pocket, match[3]
    else:
        sequence = sequence_of(row)
        pocket, truth = pocket_places(row.pocket, sequence), None
    if not pocket:
        raise RowError("no pocket in this row; give --pocket-from or a pocket in the input")
    return Prompt(
        protein(sequence, pocket) + "<Trans><ProteinS>", sequence, sequence=sequence, pocket=pocket,
        least=sequence + "<ProteinE>", usual=protein(sequence, pocket, smiles=True), truth=truth,
    )  # fmt: skip


def known_expand(row: Row) -> tuple[str, str] | None:
    prompt = expand_prompt(row)
    return (prompt.text, prompt.truth + "<ProteinE>") if prompt.truth else None


def parse_expand(text: str, finish: str, prompt: Prompt) -> Answer:
    """Valid if the same residues are in markers, each as a SMILES, and all others are repeated."""
    body = body_of(text, finish, "<ProteinE>")
    if not isinstance(body, str):
        return body
    found = read_marked(body)
    if found is None:
        return invalid("not residues and pocket markers")
    value = {"pocket": list(found.pocket), "smiles": list(found.inside)}
    if found.pocket != prompt.pocket:
        return invalid("marks other residues than the prompt", value)
    pairs = zip(found.sequence, prompt.sequence, strict=False)
    same = all(a == b for place, (a, b) in enumerate(pairs, 1) if place not in prompt.pocket)
    if len(found.sequence) != len(prompt.sequence) or not same:
        return invalid("repeats another protein", value)
    smiles = [canonical(one) for one in found.inside]
    if None in smiles:
        return invalid(f"not a valid SMILES: {shortened(found.inside[smiles.index(None)])}", value)
    return Answer({**value, "smiles": smiles}, True, ".".join(one for one in smiles if one))
