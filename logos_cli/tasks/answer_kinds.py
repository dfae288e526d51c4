"""The kinds of answers: what one is in a record and in a table's cell, in a file of right answers, and as the next task's
input. Figures (benchmarks/metrics) and pictures (drawing) are registered under a kind's name."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

from logos_cli.chemistry.grammar import reaction_parts, read_marked
from logos_cli.chemistry.smiles import canonical_set

_RESIDUE = re.compile(r"(?:[^:\s]*:)?-?\d{1,9}[A-Za-z]?")
_MOLECULE = re.compile(r"<MoleculeS>(.+?)<MoleculeE>")
_PROTEIN = re.compile(r"<ProteinS>(.+?)(?:<ProteinE>|$)")
# Keys of a JSON line, and columns of a table, that hold a right answer, those first that say so best.
PUBLISHED_KEYS = ("groundtruth", "truth")
SMILES_KEYS = ("smiles", "canonical_smiles", "isomeric_smiles")
MATERIAL_KEYS = ("metal", "linkers")
REACTION_KEYS = ("reaction", "rxn_smiles", "reaction_smiles", "reactionsmiles", "rxn")


class AnswerKind:
    """An answer of no kind that we know: whatever a record holds, shown and compared by its shape. The kinds below say more.

    `writes` is what a file of its answers can be: `smiles`, `sequence` or `other`. `truth_wants` is what a file of right
    answers holds (see `Reading`), `truth_keys` the names under which it holds them.
    """

    name: ClassVar[str] = "other"
    writes: ClassVar[str] = "other"
    truth_wants: ClassVar[str] = "smiles"
    truth_keys: ClassVar[tuple[str, ...]] = (*PUBLISHED_KEYS, *SMILES_KEYS)
    separator: ClassVar[str] = "."  # between the parts of a list, in one cell of a table
    one_molecule: ClassVar[bool] = False  # it has properties, and neighbours
    counts_residues: ClassVar[bool] = False  # its numbers are places in the input, which a structure numbers otherwise
    merges: ClassVar[bool] = False  # with --top, the samples of a row become one record instead of ranked ones
    judged: ClassVar[bool] = True  # an answer can be right or wrong, valid or not

    def key(self, answer: Any) -> str:
        """Gives a text that is equal for equal answers."""
        if isinstance(answer, list):
            plain = all(isinstance(part, str) for part in answer)
            return ".".join(sorted(".".join(answer).split("."))) if plain else str(answer)
        return str(answer)

    def cell(self, value: Any) -> Any:
        """Writes a field of a record, its answer or another, as one cell of a table."""
        if isinstance(value, (list, tuple)):
            return self.separator.join(map(str, value))
        return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value

    def from_cell(self, cell: str, valid: bool) -> Any:
        """Reads an answer back from the cell that `cell` made of it."""
        if not cell:
            return None
        if cell == "[]" or cell.startswith(("['", '["')):
            return cell  # as table programs write a list: the check of fields reads it
        return json_of(cell) if cell.startswith("{") else self.from_text(cell)

    def from_text(self, cell: str) -> Any:
        """Reads a cell that holds no JSON object."""
        return cell

    def truth(self, value: Any, keys: tuple[str, ...], side: int) -> Any:
        """Reads a right answer: grammar text, a reaction SMILES (its `side`), SMILES joined by dots, a list of SMILES, or an
        object that has one of these under one of `keys`. Molecules in canonical form and order; None if one is not valid."""
        if isinstance(value, dict):
            value = stated(lowered(value), keys)
        if isinstance(value, str):
            if molecules := _MOLECULE.findall(value):
                return canonical_set(molecules)
            parts = reaction_parts(value)
            value = [parts[side] if len(parts) == 3 else value]
        if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
            return canonical_set(value)
        return None

    def as_input(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Gives a record with a valid answer as the JSON line that says the same to the next task."""
        return {"smiles": record["answer"]}

    def scored_as_input(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Gives a record of `logos score` as the JSON line that says the same to the next task."""
        return {"smiles": record.get("input")}


class Reactants(AnswerKind):
    """A list of SMILES, each of one reactant, salts kept together."""

    name = "reactants"
    writes = "smiles"

    def from_text(self, cell: str) -> Any:
        return cell.split(".")


class Molecule(AnswerKind):
    """A SMILES."""

    name = "molecule"
    writes = "smiles"
    one_molecule = True


class ProteinSequence(AnswerKind):
    """The one-letter codes of a whole protein."""

    name = "sequence"
    writes = "sequence"
    truth_wants = "sequence"
    truth_keys = ("sequence", *PUBLISHED_KEYS)

    def truth(self, value: Any, keys: tuple[str, ...], side: int) -> Any:
        """Reads a native sequence, markers left out."""
        if isinstance(value, dict):
            value = next((value[key] for key in keys if value.get(key)), None)
        if not isinstance(value, str):
            return None
        letters = re.sub("<[A-Za-z]+>", "", value).strip().upper()
        return letters if letters.isalpha() else None

    def as_input(self, record: Mapping[str, Any]) -> dict[str, Any]:
        return {"sequence": record["answer"]}


class Residues(AnswerKind):
    """Places in the input's sequence, counted from 1."""

    name = "residues"
    truth_wants = "sequence"
    truth_keys = ("pocket", *PUBLISHED_KEYS, "test_input", "text")
    separator = " "
    counts_residues = True
    merges = True

    def from_cell(self, cell: str, valid: bool) -> Any:
        return [] if not cell and valid else super().from_cell(cell, valid)

    def from_text(self, cell: str) -> Any:
        if cell.startswith("["):
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                return ast.literal_eval(cell)
        return [json_of(part) for part in cell.split()]

    def truth(self, value: Any, keys: tuple[str, ...], side: int) -> Any:
        """Reads a binding site: a list of residues, an object with `pocket`, or grammar text with pocket markers, of which the
        last protein counts. A number with a chain (`A:57`), and with `"numbering": "own"` any, is the structure's own and
        stays a text. None if it has none."""
        own = False
        if isinstance(value, dict):
            own = value.get("numbering") == "own"
            value = next((value[key] for key in ("pocket", *PUBLISHED_KEYS) if value.get(key)), None)
        if isinstance(value, str) and "<PocketS>" in value:
            bodies = _PROTEIN.findall(value if value.startswith("<ProteinS>") else f"<ProteinS>{value}")
            marked = read_marked(bodies[-1]) if bodies else None
            return frozenset(marked.pocket) if marked else None
        if isinstance(value, str):
            value = [part for part in re.split(r"[\s,;]+", value.strip().strip("[]")) if part]
        if not isinstance(value, (list, tuple)) or not value:
            return None
        places: set[int | str] = set()
        for part in value:
            text = str(part)
            if isinstance(part, bool) or not isinstance(part, (int, str)) or not _RESIDUE.fullmatch(text):
                return None
            places.add(text if own or ":" in text else int(text) if text.isdigit() else text)
        return frozenset(places)

    def as_input(self, record: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(record.get("input"), str):
            return super().as_input(record)
        return {"sequence": record["input"], "pocket": record["answer"]}


class PocketSmiles(AnswerKind):
    """`{"pocket": places from 1, "smiles": one of each of these residues}`."""

    name = "pocket SMILES"
    truth_wants = "sequence"

    def key(self, answer: Any) -> str:
        return super().key(answer.get("smiles") if isinstance(answer, dict) else answer)


class Material(AnswerKind):
    """`{"metal": a node's SMILES, "linkers": a list of SMILES}`."""

    name = "material"

    def key(self, answer: Any) -> str:
        if not isinstance(answer, dict):
            return super().key(answer)
        return ".".join((str(answer.get("metal")), *sorted(answer.get("linkers", ()))))

    def as_input(self, record: Mapping[str, Any]) -> dict[str, Any]:
        answer = record.get("answer")
        return {key: answer.get(key) for key in MATERIAL_KEYS} if isinstance(answer, dict) else super().as_input(record)

    def scored_as_input(self, record: Mapping[str, Any]) -> dict[str, Any]:
        return self.as_input(record) if isinstance(record.get("answer"), dict) else super().scored_as_input(record)


class Text(AnswerKind):
    """Grammar text as the model wrote it, which nothing can judge."""

    name = "text"
    truth_wants = "any"
    judged = False


OTHER = AnswerKind()
REACTANTS, MOLECULE, MATERIAL, SEQUENCE = Reactants(), Molecule(), Material(), ProteinSequence()
RESIDUES, POCKET_SMILES, TEXT = Residues(), PocketSmiles(), Text()
KINDS = (REACTANTS, MOLECULE, MATERIAL, SEQUENCE, RESIDUES, POCKET_SMILES, TEXT)


def lowered(value: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the same with keys that match in any case."""
    return {name.strip().lower(): part for name, part in value.items()}


def stated(value: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    """Gives what an object with keys in small letters says is right: the first of `keys` that is not null, None if all are;
    `value` itself if it has none of them."""
    here = [value[key] for key in keys if key in value]
    return next((part for part in here if part is not None), None) if here else value


def json_of(cell: str) -> Any:
    """Reads a cell as JSON; one that is none stays a text."""
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell
