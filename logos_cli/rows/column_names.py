"""Names under which files hold what a row is made of: columns of a table, keys of a JSON line, data fields of an SDF.

They are compared as `plain` has them, so that case, blanks, dots and underscores do not matter. Where several are there,
the first of the list is taken: isomeric before canonical SMILES, which often lack the stereo.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from logos_cli.errors import UsageError

SMILES = (
    "smiles", "isomericsmiles", "isosmiles", "smilesisomeric", "pubchemopeneyeisosmiles", "pubchemsmiles", "cxsmiles",
    "canonicalsmiles", "cansmiles", "smilescanonical", "pubchemopeneyecansmiles", "connectivitysmiles",
    "pubchemconnectivitysmiles", "ligandsmiles", "smile", "smi", "mofid", "infomofidmofid", "infomofidsmiles",
)  # fmt: skip
REACTION = (
    "reactionsmiles", "rxnsmiles", "reaction", "rxn", "reactantsreagentsproduction", "reactantsreagentsproducts",
    "originalreaction", "originalsmiles", "canonicalrxn", "canonicalreaction", "mappedrxn", "mappedreaction", "smirks",
)  # fmt: skip
PRODUCT = ("product", "products", "productsmiles", "productssmiles", "prod", "prodsmiles")
REACTANTS = ("reactants", "reactant", "reactantsmiles", "reactantssmiles", "precursors", "precursor")
SEQUENCE = ("sequence", "seq", "proteinsequence", "protein", "mutatedsequence")
# The two chains of an antibody, each in a column of its own; of OAS's tables those of residues, not of bases.
HEAVY = (
    "heavy", "heavychain", "heavysequence", "heavychainsequence", "heavyseq", "heavyaa", "vh", "vhh", "vhsequence", "vhseq",
    "vhaa", "fvheavy", "sequencealignmentaaheavy", "sequenceaaheavy", "heavychainaa", "hseq", "h",
)  # fmt: skip
LIGHT = (
    "light", "lightchain", "lightsequence", "lightchainsequence", "lightseq", "lightaa", "vl", "vk", "vlsequence", "vlseq",
    "vlaa", "fvlight", "sequencealignmentaalight", "sequenceaalight", "lightchainaa", "lseq", "l",
)  # fmt: skip
# First words of a `.smi` header; those that are no column of a table are words that a header alone would hold.
HEADER_WORDS = frozenset((*SMILES, *REACTION, *SEQUENCE, "structure", "molecule"))
# An identifier of a database says more than a name that may be missing or ambiguous.
ID = (
    "id", "compoundid", "moleculeid", "molid", "cmpdid", "cpdid", "chemblid", "moleculechemblid", "cid", "pubchemcid",
    "pubchemcompoundcid", "compoundcid", "zincid", "catalogid", "catalognumber", "catalogno", "idnumber", "enamineid",
    "drugbankid", "databaseid", "emolid", "emoleculesid", "emolversionid", "versionid", "molportid", "mculeid",
    "bindingdbmonomerid", "chebiid", "hmdbid", "lmid", "nscid", "nsc", "sid", "pubchemsid", "substanceid", "molregno",
    "vendorid", "supplierid", "productid", "ligandid", "uniprotid", "proteinid", "sequenceid", "accession", "reactionid",
    "rxnid", "patentnumber", "name", "title", "compoundname", "moleculename", "molname", "cmpdname", "drugname", "commonname",
    "genericname", "synonym", "synonyms", "cas", "casnumber", "casrn", "compound",
)  # fmt: skip


@lru_cache(maxsize=4096)  # each JSON line has its keys again
def plain(name: str) -> str:
    """`name` as names are compared; of a name in another script, itself in lower case."""
    return re.sub(r"[^a-z0-9]", "", name.lower()) or name.strip().lower()


def first_of(names: Sequence[str], known: Iterable[str]) -> int | None:
    """The place in `names` of the first of `known` that is there."""
    compared = [plain(name) for name in names]
    return next((compared.index(one) for one in known if one in compared), None)


def asked_for(path: str, kind: str, names: Sequence[str], wanted: str) -> int:
    """The place of the name that the user gave. Raises UsageError, which lists what there is."""
    for compared in ([name.strip() for name in names], [name.strip().lower() for name in names]):
        for one in (wanted.strip(), wanted.strip().lower()):
            if one in compared:
                return compared.index(one)
    raise UsageError(f"{path}: no {kind} {wanted!r}; it has: {', '.join(names)[:200] or 'none'}")


def holding_smiles(names: Sequence[str]) -> list[int]:
    """Places of names that are not known but say SMILES, such as `Docked_SMILES_pH7`."""
    return [place for place, name in enumerate(names) if "smiles" in plain(name)]


def chain_places(names: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """(`H` or `L`, its place) of the chains of an antibody among `names`; a single letter only beside the other chain's."""
    found = [(label, at) for label, known in (("H", HEAVY), ("L", LIGHT)) if (at := first_of(names, known)) is not None]
    return tuple(found) if len(found) > 1 or all(len(plain(names[at])) > 1 for _, at in found) else ()
