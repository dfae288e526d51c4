"""LOGOS's grammar as tasks: what a row becomes (prompt), where its answer ends (stops), what the answer says (parse).

Prompts and stops are those of the published scripts (LOGOS-Hub/LOGOS). Every task also ends at the tokenizer's end
token. Sampling defaults are the commands in upstream's README.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from logos_cli.chem import ChemError, canonical, canonical_strict, shortened, unmapped_strict
from logos_cli.errors import UsageError
from logos_cli.rows import Row
from logos_cli.sampling import Sampling

_PAIRED = ("Protein", "Antibody", "Molecule", "Pocket", "Material", "Metal")
MARKERS = (*(f"<{name}{edge}>" for name in _PAIRED for edge in "SE"), "<React>", "<ReverseReact>", "<Trans>", "<Search>")
_MARKER = re.compile("|".join(map(re.escape, MARKERS)) + r"|<\|[^|<>]*\|>")
# `<` and `>` also stand in SMILES, in the dative bonds `<-` and `->`.
_MOLECULE = re.compile(r"<MoleculeS>((?:(?!<Molecule[SE]>).)+)<MoleculeE>")
_MOLECULES = re.compile(f"(?:{_MOLECULE.pattern})+")
_ARROW = re.compile(r"(?<!-)>")

# Upstream README's generation commands; its scripts' own defaults differ (retrosynthesis 0.7 / 0.95, others 1.2 / 0.95).
# top_k 50 is transformers' default, which those commands leave in force.
PUBLISHED = Sampling(temperature=1.2, top_k=50, top_p=0.85, repetition_penalty=1.05, max_tokens=1000)


class RowError(ValueError):
    """A row that this task cannot use; the message says why."""


@dataclass(frozen=True)
class Prompt:
    """`text` for the model; `shown` goes into the record's `input`."""

    text: str
    shown: str


@dataclass(frozen=True)
class Answer:
    """`value` is the record's answer; `smiles` its form in a .smi file, equal for equal answers."""

    value: Any
    valid: bool
    smiles: str = ""
    reason: str | None = None


@dataclass(frozen=True)
class Task:
    name: str
    modality: str
    takes: str
    gives: str
    form: str
    stops: tuple[str, ...]
    needs: tuple[str, ...]
    needs_input: bool
    prompt: Callable[[Row], Prompt]
    parse: Callable[[str, str], Answer]
    sampling: Sampling
    source: str
    reaction: Callable[[str, str], str] | None = None


def invalid(reason: str, value: Any = None) -> Answer:
    return Answer(value, False, reason=reason)


def wrap(smiles: str) -> str:
    return f"<MoleculeS>{smiles}<MoleculeE>"


def refuse_markers(text: str) -> str:
    """Markers typed inside a row's own text are refused, never injected into the prompt."""
    if found := _MARKER.search(text):
        raise RowError(f"marker {found.group()} inside the input; markers are written by the task")
    return text


def usable(smiles: str) -> str:
    """A row's SMILES as it goes into the prompt: as written, atom maps removed."""
    try:
        return unmapped_strict(refuse_markers(smiles.strip()))
    except ChemError as error:
        raise RowError(str(error)) from None


def reaction_parts(text: str) -> list[str]:
    """Reactants, agents and product of a reaction SMILES; the arrows of dative bonds, `->`, part nothing."""
    return _ARROW.split(text)


def reaction_side(value: str, side: int) -> str:
    """Side 0 (reactants) or -1 (product) of a reaction SMILES `A.B>agents>P`; any other SMILES as it is."""
    parts = reaction_parts(refuse_markers(value))
    if len(parts) == 1:
        return value
    if len(parts) != 3:
        raise RowError(f"not a reaction SMILES: {shortened(value)}")
    return parts[side]


def published_molecules(text: str, end: str) -> list[str]:
    """The molecules of a prompt given whole, which must be `<MoleculeS>…<MoleculeE>` pairs and then `end`."""
    body = text.removesuffix(end)
    if not text.endswith(end) or not _MOLECULES.fullmatch(body):
        raise RowError(f"the text is not this task's prompt, <MoleculeS>SMILES<MoleculeE>{end}: {shortened(text)}")
    return _MOLECULE.findall(body)


def retro_prompt(row: Row) -> Prompt:
    if row.text is not None:
        products = published_molecules(row.text, "<ReverseReact>")
        if len(products) != 1:
            raise RowError(f"{len(products)} molecules before <ReverseReact>; one product is expected")
        product = usable(products[0])
    elif isinstance(row.value, tuple):
        product = usable(".".join(row.value))
    else:
        product = usable(reaction_side(row.value or "", -1))
    return Prompt(wrap(product) + "<ReverseReact>", product)


def react_prompt(row: Row) -> Prompt:
    if row.text is not None:
        given = published_molecules(row.text, "<React>")
    elif row.reactants or isinstance(row.value, tuple):
        given = list(row.reactants or row.value or ())
    else:
        # Each part its own marker pair, as LOGOS was trained; a JSON list says which parts are salts of one reactant.
        given = reaction_side(row.value or "", 0).split(".")
    reactants = [usable(part) for part in given]
    return Prompt("".join(map(wrap, reactants)) + "<React>", ".".join(reactants))


def molecule_prompt(row: Row) -> Prompt:
    if row.text not in (None, "<MoleculeS>") or row.value not in (None, ""):
        raise RowError("molecule starts from nothing; it takes no SMILES (one molecule a sample, see -n)")
    return Prompt("<MoleculeS>", "")


def raw_prompt(row: Row) -> Prompt:
    text = row.text if row.text is not None else row.value
    if not isinstance(text, str) or not text:
        raise RowError('raw takes grammar text: {"id": …, "text": …} lines')
    if "\0" in text:
        raise RowError("NUL byte in the text")
    return Prompt(text, text)


def parse_reactants(text: str, finish: str) -> Answer:
    found = _MOLECULE.findall(text)
    if finish == "length":
        return invalid("cut at the token limit", found or None)
    if not _MOLECULES.fullmatch(text):
        return invalid("not a sequence of <MoleculeS>…<MoleculeE>", found or None)
    smiles = [canonical(part) for part in found]
    if None in smiles:
        return invalid(f"not a valid SMILES: {shortened(found[smiles.index(None)])}", found)
    value = sorted(one for one in smiles if one)
    return Answer(value, True, ".".join(sorted(".".join(value).split("."))))


def parse_product(text: str, finish: str) -> Answer:
    found = _MOLECULE.findall(text)
    if finish == "length":
        return invalid("cut at the token limit", found[0] if found else None)
    if not _MOLECULES.fullmatch(text):
        return invalid("not <MoleculeS>…<MoleculeE>", found[0] if found else None)
    return parse_smiles(".".join(found))


def parse_molecule(text: str, finish: str) -> Answer:
    if finish == "length" or not text.endswith("<MoleculeE>"):
        return invalid("cut at the token limit" if finish == "length" else "no <MoleculeE>")
    return parse_smiles(text.removesuffix("<MoleculeE>"))


def parse_smiles(smiles: str) -> Answer:
    try:
        value = canonical_strict(refuse_markers(smiles))
    except (ChemError, RowError) as error:
        return invalid(str(error), smiles or None)
    return Answer(value, True, value)


def parse_raw(text: str, finish: str) -> Answer:
    return Answer(text, True, text) if text else invalid("empty answer")


README_SOURCE = "upstream README's commands"
TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(
            "retro", "reaction", "a product SMILES, or a reaction SMILES (its product)", "a list of reactant SMILES, canonical",
            "<MoleculeS>P<MoleculeE><ReverseReact>", (), ("<MoleculeS>", "<MoleculeE>", "<ReverseReact>"), True,
            retro_prompt, parse_reactants, PUBLISHED, README_SOURCE, lambda product, reactants: f"{reactants}>>{product}",
        ),
        Task(
            "react", "reaction", "reactants joined by dots or as a JSON list, or a reaction SMILES",
            "the product's SMILES, canonical",
            "<MoleculeS>r1<MoleculeE><MoleculeS>r2<MoleculeE><React>", (), ("<MoleculeS>", "<MoleculeE>", "<React>"), True,
            react_prompt, parse_product, PUBLISHED, README_SOURCE, lambda reactants, product: f"{reactants}>>{product}",
        ),
        Task(
            "molecule", "molecule", "nothing: samples new molecules", "a SMILES, canonical",
            "<MoleculeS>", ("<MoleculeE>",), ("<MoleculeS>", "<MoleculeE>"), False,
            molecule_prompt, parse_molecule, PUBLISHED, README_SOURCE + " (no molecule script is published)",
        ),
        Task(
            "raw", "any", 'grammar text, {"id", "text"} lines, continued as it is', "the text that follows",
            "the text", (), (), True,
            raw_prompt, parse_raw, PUBLISHED, README_SOURCE,
        ),
    )
}  # fmt: skip


def task_named(name: str) -> Task:
    if name not in TASKS:
        raise UsageError(f"no task {name!r}; one of: {', '.join(TASKS)}")
    return TASKS[name]
