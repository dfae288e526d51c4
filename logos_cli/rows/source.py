"""Source: which columns of a table, or keys of a JSON line, hold a row's input; the same rules for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from logos_cli.rows.column_names import (
    PRODUCT,
    REACTANTS,
    REACTION,
    SEQUENCE,
    SMILES,
    asked_for,
    chain_places,
    first_of,
    holding_smiles,
)
from logos_cli.rows.row import Reading

INPUT = ("input",)


@dataclass(frozen=True)
class Source:
    """`at` is the place of the input among the names; or `reactants` and `product` are, of a whole reaction of which each
    task takes its side. `guessed`: no known name, but one that says SMILES. `unused` are other names that hold SMILES.
    `chains` are the places of several sequences, each with the name of its chain."""

    at: int = -1
    reactants: int = -1
    product: int = -1
    sequence: bool = False
    guessed: bool = False
    unused: tuple[int, ...] = ()
    chains: tuple[tuple[str, int], ...] = ()


def source_of(
    path: str, kind: str, names: Sequence[str], reading: Reading, sequence_first: bool = False, both: bool = False
) -> Source | None:
    """None if nothing in `names` (each a `kind`: column, key, field) is known to hold what is wanted. `sequence_first`: where
    the content decides, a sequence before a SMILES; `both`: where SMILES are wanted, a sequence too, to be refused as one.
    Raises UsageError for a name that the user gave and that is not there."""
    if reading.sequence_column:
        return asked_sequence(path, kind, names, reading.sequence_column)
    if reading.smiles_column:
        return Source(asked_for(path, kind, names, reading.smiles_column))
    sequence, chains = first_of(names, SEQUENCE), chain_places(names)
    of_chains = Source(chains[0][1], sequence=True, chains=chains) if chains else None
    of_sequence = None if sequence is None else Source(sequence, sequence=True)
    if reading.wants == "sequence":
        return of_sequence or of_chains
    of_smiles = _smiles_source(names, reading.side)
    if reading.wants == "any":
        return ((of_sequence or of_smiles) if sequence_first else (of_smiles or of_sequence)) or of_chains
    return of_smiles or (of_sequence or of_chains if both else None)


def asked_sequence(path: str, kind: str, names: Sequence[str], wanted: str) -> Source:
    """The sequence under a name that the user gave, or under several with commas between: heavy,light."""
    parts = [part.strip() for part in wanted.split(",")]
    if len(parts) < 2 or wanted in names:
        return Source(asked_for(path, kind, names, wanted), sequence=True)
    places = [asked_for(path, kind, names, part) for part in parts]
    known = {at: label for label, at in chain_places([names[place] for place in places])}
    chains = tuple((known.get(at, names[place]), place) for at, place in enumerate(places))
    return Source(places[0], sequence=True, chains=chains)


def _smiles_source(names: Sequence[str], side: str) -> Source | None:
    reactants, product = first_of(names, REACTANTS), first_of(names, PRODUCT)
    whole = Source(reactants=reactants, product=product) if reactants is not None and product is not None else None
    if side and whole:
        return whole
    own = product if side == "product" else reactants if side == "reactants" else None
    places = [own, *(first_of(names, known) for known in (SMILES, REACTION, INPUT))]
    if (at := next((place for place in places if place is not None), None)) is not None:
        return Source(at, unused=others(names, at))
    if whole:
        return whole
    if not side and (one := product if product is not None else reactants) is not None:
        return Source(one, unused=others(names, one))
    likely = holding_smiles(names)
    return Source(likely[0], guessed=True) if len(likely) == 1 else None


def others(names: Sequence[str], at: int) -> tuple[int, ...]:
    return tuple(place for place in holding_smiles(names) if place != at)


def only_other_side(names: Sequence[str], side: str) -> str | None:
    """The name that holds the other side of a reaction than `side`, where a source was not found."""
    if not side:
        return None
    at = first_of(names, REACTANTS if side == "product" else PRODUCT)
    return None if at is None else names[at]
