"""Row: one input, whatever file it came from; Reading: how the user said it is to be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from logos_cli.system.lines import LONGEST_LINE

if TYPE_CHECKING:
    from logos_cli.structures.chains import Site

CUTOFF = 4.5  # Å between heavy atoms, as in the published complexes


@dataclass(frozen=True)
class Reading:
    """`wants` is what the task takes: `smiles`, `sequence`, or `any` where the content decides; `side` is `reactants` or
    `product` for a task that asks with one side of a reaction. The rest are the user's options: `header` is False for a
    table that has none; `chain` (several with commas, or `all`), `pocket_from` and `cutoff` (Å) say which residues of a
    structure are the pocket, `each_copy` that each copy of a ligand makes a row, `antibodies` that each
    variable domain does. `min_plddt`: residues of a predicted structure below it are no pocket's; `plddt_in_bfactors`: its
    B-factors are pLDDT, whether the file says so or not."""

    wants: str = "smiles"
    smiles_column: str | None = None
    sequence_column: str | None = None
    id_column: str | None = None
    chain: str | None = None
    pocket_from: str | None = None
    cutoff: float = CUTOFF
    side: str = ""
    header: bool = True
    each_copy: bool = False
    antibodies: bool = False
    min_plddt: float | None = None
    plddt_in_bfactors: bool = False


@dataclass(frozen=True)
class Recorded:
    """What one of our own records says of itself, so that it can be scored again. `asked` is its input as the prompt had it,
    where that was another spelling; `text` is what was written, `prompt` the text before it where these and `site` do not
    tell it; a record of `score` is `scored`, and may be of a `mutant`."""

    task: str
    input: str
    text: str | None = None
    finish: str | None = None
    prompt: str | None = None
    site: dict[str, Any] | None = None
    scored: bool = False
    mutant: str | None = None
    asked: str | None = None

    @property
    def question(self) -> str:
        """The input as the prompt had it."""
        return self.input if self.asked is None else self.asked


@dataclass(frozen=True)
class Row:
    """One input. `value` is a SMILES, a reaction SMILES, a list of SMILES or, if `kind` says so, a sequence of residues;
    `text` is grammar text given whole; `reactants` are those of a reaction that came as a list, which says what belongs
    together. `pocket` counts residues of the sequence from 1; `ligand` and `material` (node, linkers) are SMILES that
    came with the row, `site` tells where in a structure the sequence stands. Of a record of ours the fields hold what the
    next task takes, `recorded` what the record itself was. `line` is that of the file it came from, 0 where formats
    have more lines a row. `chains` are several that one record has, each with its name (`H`, `L`): `read_rows` makes a row of
    each, of which `part` says the name."""

    ordinal: int
    id: str
    value: str | tuple[str, ...] | None = None
    text: str | None = None
    reactants: tuple[str, ...] = ()
    truth: Any = None
    columns: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    kind: str = "smiles"
    pocket: tuple[int, ...] = ()
    ligand: str | None = None
    material: tuple[str, tuple[str, ...]] | None = None
    site: Site | None = None
    recorded: Recorded | None = None
    line: int = 0
    chains: tuple[tuple[str, str], ...] = ()
    part: str = ""


def too_long(ordinal: int, number: int) -> Row:
    return Row(ordinal, str(number), error=f"line {number} is longer than {LONGEST_LINE:,} characters")
