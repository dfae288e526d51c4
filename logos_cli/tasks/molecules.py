"""Prompts and answers of the tasks about molecules: retro, react, molecule; and raw text."""

from __future__ import annotations

from collections import Counter

from logos_cli.chemistry.grammar import (
    MOLECULE,
    MOLECULES,
    RowError,
    reaction_side,
    refuse_markers,
    usable,
    wrap,
)
from logos_cli.chemistry.smiles import MAX_SMILES, ChemError, canonical, canonical_set, canonical_strict, shortened
from logos_cli.chemistry.smiles_text import begins_a_smiles, bracket_atoms_valid
from logos_cli.rows.row import Row
from logos_cli.tasks.task import Answer, Prompt, body_of, invalid


def published_molecules(text: str, end: str) -> list[str]:
    """The molecules of a prompt given whole, which must be `<MoleculeS>…<MoleculeE>` pairs and then `end`."""
    body = text.removesuffix(end)
    if not text.endswith(end) or not MOLECULES.fullmatch(body):
        raise RowError(f"the text is not this task's prompt, <MoleculeS>SMILES<MoleculeE>{end}: {shortened(text)}")
    return MOLECULE.findall(body)


def retro_prompt(row: Row, as_written: bool = False) -> Prompt:
    if row.text is not None:
        products = published_molecules(row.text, "<ReverseReact>")
        if len(products) != 1:
            raise RowError(f"{len(products)} molecules before <ReverseReact>; one product is expected")
        shown = products[0]
    elif isinstance(row.value, tuple):
        shown = ".".join(row.value)
    else:
        shown = reaction_side(row.value or "", -1).strip()
    product = usable(shown, as_written or row.text is not None)
    return Prompt(wrap(product) + "<ReverseReact>", shown, product if product != shown else None)


def react_prompt(row: Row, as_written: bool = False) -> Prompt:
    if row.text is not None:
        given = published_molecules(row.text, "<React>")
    elif row.reactants or isinstance(row.value, tuple):
        given = list(row.reactants or row.value or ())
    else:
        # Each part its own marker pair, as LOGOS was trained; a JSON list says which parts are salts of one reactant.
        given = reaction_side(row.value or "", 0).split(".")
    reactants = [usable(part, as_written or row.text is not None) for part in given]
    shown, asked = (".".join(part.strip() for part in given), ".".join(reactants))
    return Prompt("".join(map(wrap, reactants)) + "<React>", shown, asked if asked != shown else None)


def known_retro(row: Row, as_written: bool = False) -> tuple[str, str] | None:
    return known_side(row, retro_prompt(row, as_written), 0, as_written)


def known_react(row: Row, as_written: bool = False) -> tuple[str, str] | None:
    return known_side(row, react_prompt(row, as_written), -1, as_written)


def known_side(row: Row, prompt: Prompt, side: int, as_written: bool) -> tuple[str, str] | None:
    """(prompt, the other side of the reaction as the answer), from the truth of a published file or the row itself."""
    if isinstance(row.truth, str) and row.truth.startswith("<MoleculeS>"):
        return prompt.text, row.truth
    if row.reactants and side == 0:
        return prompt.text, "".join(wrap(usable(part, as_written)) for part in row.reactants)
    if isinstance(row.value, str):
        found = reaction_side(row.value, side)
        if found != row.value:
            return prompt.text, "".join(wrap(usable(part, as_written)) for part in found.split("."))
    return None


def molecule_prompt(row: Row) -> Prompt:
    """From nothing, or from the beginning of a SMILES, which is text: it need not be valid by itself."""
    prefix = row.text.removeprefix("<MoleculeS>") if row.text is not None else row.value or ""
    if not isinstance(prefix, str):
        raise RowError("a list of SMILES; molecule goes on from the beginning of one")
    if row.text is not None and not row.text.startswith("<MoleculeS>"):
        raise RowError(f"the text is not <MoleculeS> and perhaps the beginning of a SMILES: {shortened(row.text)}")
    prefix = refuse_markers(prefix.strip())
    if len(prefix) > MAX_SMILES:
        raise RowError(f"a prefix of {len(prefix):,} characters; at most {MAX_SMILES:,} are read")
    if not prefix.isprintable() or " " in prefix:
        raise RowError(f"blanks or control characters inside a SMILES: {shortened(prefix)}")
    if prefix and not (begins_a_smiles(prefix) and bracket_atoms_valid(prefix)) and canonical(prefix) is None:
        raise RowError(f"not a valid SMILES, nor the beginning of one: {shortened(prefix)}")
    return Prompt("<MoleculeS>" + prefix, prefix, prefix=prefix)


def known_molecule(row: Row, as_written: bool = False) -> tuple[str, str] | None:
    """The whole molecule, none of it given."""
    if row.text is not None:
        return ("<MoleculeS>", row.text.removeprefix("<MoleculeS>")) if row.text.startswith("<MoleculeS>") else None
    value = ".".join(row.value) if isinstance(row.value, tuple) else row.value
    return "<MoleculeS>", usable(value or "", as_written) + "<MoleculeE>"


def raw_prompt(row: Row) -> Prompt:
    text = row.text if row.text is not None else row.value
    if not isinstance(text, str) or not text:
        raise RowError('raw takes grammar text: {"id": …, "text": …} lines')
    if "\0" in text:
        raise RowError("NUL byte in the text")
    return Prompt(text, text)


def known_raw(row: Row) -> tuple[str, str] | None:
    return "", raw_prompt(row).text + (row.truth if isinstance(row.truth, str) else "")


def parse_reactants(text: str, finish: str, prompt: Prompt) -> Answer:
    found = MOLECULE.findall(text)
    if finish == "length":
        return invalid("cut at the token limit", found or None)
    if not MOLECULES.fullmatch(text):
        return invalid("not a sequence of <MoleculeS>…<MoleculeE>", found or None)
    smiles = [canonical(part) for part in found]
    if None in smiles:
        return invalid(f"not a valid SMILES: {shortened(found[smiles.index(None)])}", found)
    value = sorted(one for one in smiles if one)
    return Answer(value, True, ".".join(sorted(".".join(value).split("."))))


def parse_product(text: str, finish: str, prompt: Prompt) -> Answer:
    found = MOLECULE.findall(text)
    if finish == "length":
        return invalid("cut at the token limit", found[0] if found else None)
    if not MOLECULES.fullmatch(text):
        return invalid("not <MoleculeS>…<MoleculeE>", found[0] if found else None)
    return parse_smiles(".".join(found))


def repeats_product(asked: str, answer: str) -> str | None:
    """Why reactants are no answer of `retro` to the product `asked`: they contain it. None if they do not."""
    return "the reactants contain the product" if contains(answer, asked) else None


def repeats_reactant(asked: str, answer: str) -> str | None:
    """Why a product is no answer of `react` to the reactants `asked`: it is among them. None if it is not."""
    return "the product is among the reactants" if contains(asked, answer) else None


def contains(whole: str, part: str) -> bool:
    """Whether each molecule of `part` is one of `whole`, as often; dots part molecules."""
    all_of, some = canonical_set([whole]), canonical_set([part])
    return all_of is not None and some is not None and Counter(some) <= Counter(all_of)


def parse_molecule(text: str, finish: str, prompt: Prompt) -> Answer:
    body = body_of(text, finish, "<MoleculeE>")
    return parse_smiles(prompt.prefix + body) if isinstance(body, str) else body


def parse_smiles(smiles: str) -> Answer:
    try:
        value = canonical_strict(refuse_markers(smiles))
    except (ChemError, RowError) as error:
        return invalid(str(error), smiles or None)
    return Answer(value, True, value)


def parse_raw(text: str, finish: str, prompt: Prompt) -> Answer:
    return Answer(text, True, text) if text else invalid("empty answer")
