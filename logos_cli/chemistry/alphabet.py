"""Which texts can stand between markers: substrings of lexable SMILES, and of residue sequences.

Lexable is what SMILES's lexer takes, token after token, whatever the molecule: atoms, bracket atoms, bonds (dative ones
among them), ring closures, branches, dots. It is a regular language, read here by a small automaton over characters all of
whose states can be reached and left again; so a text is a substring of a lexable SMILES exactly if the automaton, started in
all of its states at once, does not run dry. A substring of such a text is one too: that is what makes a vocabulary cut to
these texts closed under the merges of a BPE (see `logos_cli.convert.trim`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from logos_cli.chemistry.smiles import shortened
from logos_cli.errors import ForeignText

# Every letter that sequences use: the twenty residues, and B J O U X Z, which databases write for others and unknown ones.
RESIDUES = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ELEMENTS = re.findall(
    r"\w+",
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr "
    "Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir "
    "Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl "
    "Mc Lv Ts Og ",
)
_AROMATIC = ("b", "c", "n", "o", "p", "s", "se", "as", "te", "si")
_ORGANIC = ("B", "C", "N", "O", "P", "S", "F", "I", "Cl", "Br", "b", "c", "n", "o", "p", "s", "*")
_BONDS = "-=#$:/\\~.()"
_CHIRAL = ("TH", "AL", "SP", "TB", "OH")
_DIGITS = "0123456789"

Edges = dict[str, dict[str, set[str]]]


@cache
def _automaton() -> Mapping[str, Mapping[str, frozenset[str]]]:
    """State -> character -> next states. `out` is between tokens; in brackets the states name what has been read."""
    edges: Edges = {}

    def add(source: str, characters: Iterable[str], *targets: str) -> None:
        for character in characters:
            edges.setdefault(source, {}).setdefault(character, set()).update(targets)

    def word(source: str, text: str, *targets: str) -> None:
        """A word of one or two letters."""
        if len(text) == 1:
            add(source, text, *targets)
        else:
            between = f"{source} {text[0]}"
            add(source, text[0], between)
            add(between, text[1], *targets)

    for atom in _ORGANIC:
        word("out", atom, "out")
    add("out", _BONDS + _DIGITS, "out")
    add("out", "-", "arrow")  # -> and <-
    add("arrow", ">", "out")
    add("out", "<", "back")
    add("back", "-", "out")
    add("out", "%", "ring")
    add("ring", _DIGITS, "ring digit")
    add("ring digit", _DIGITS, "out")
    add("ring", "(", "ring number")
    add("ring number", _DIGITS, "ring number end")
    add("ring number end", _DIGITS, "ring number end")
    add("ring number end", ")", "out")
    # Inside brackets: isotope, symbol, chirality, hydrogens, charge, map, in this order.
    add("out", "[", "isotope")
    add("isotope", _DIGITS, "isotope")
    for symbol in (*_ELEMENTS, *_AROMATIC, "*"):
        word("isotope", symbol, "symbol")
    add("isotope", "#", "number")
    add("number", _DIGITS, "number", "symbol")
    add("symbol", "@", "chiral", "at")
    add("at", "@", "chiral")
    for name in _CHIRAL:
        add("at", name[0], f"chiral {name[0]}")
        add(f"chiral {name[0]}", name[1], "chiral class")
    add("chiral class", _DIGITS, "chiral", "chiral digit")
    add("chiral digit", _DIGITS, "chiral")
    for before in ("symbol", "chiral"):
        add(before, "H", "hydrogens", "hydrogen count")
    add("hydrogen count", _DIGITS, "hydrogens", "hydrogen count")
    for before in ("symbol", "chiral", "hydrogens"):
        add(before, "+-", "charge", "charge sign", "charge number")
    add("charge sign", "+-", "charge", "charge sign")
    add("charge number", _DIGITS, "charge", "charge number")
    for before in ("symbol", "chiral", "hydrogens", "charge"):
        add(before, ":", "map")
        add(before, "]", "out")
    add("map", _DIGITS, "map", "map end")
    add("map end", "]", "out")
    return {state: {one: frozenset(to) for one, to in found.items()} for state, found in edges.items()}


def states() -> frozenset[str]:
    """All states of the automaton."""
    found = _automaton()
    return frozenset(found) | frozenset(one for targets in found.values() for to in targets.values() for one in to)


def after(begin: Iterable[str], text: str) -> tuple[frozenset[str], int]:
    """(states after `text`, how many characters were read): fewer than all if it runs dry."""
    now, edges = frozenset(begin), _automaton()
    for place, character in enumerate(text):
        following = frozenset(to for state in now for to in edges.get(state, {}).get(character, ()))
        if not following:
            return following, place
        now = following
    return now, len(text)


def lexable(text: str) -> bool:
    """Whether `text` is a whole SMILES to its lexer."""
    return "out" in after({"out"}, text)[0]


def in_smiles(text: str) -> bool:
    """Whether `text` is a substring of a lexable SMILES."""
    return bool(after(states(), text)[0])


def in_grammar(text: str) -> bool:
    """Whether `text`, without markers, can stand somewhere in a sequence of the grammar."""
    return RESIDUES.issuperset(text) or in_smiles(text)


class Grammar:
    """What a trimmed vocabulary, whose added tokens are `markers`, can write without loss."""

    def __init__(self, markers: Iterable[str]) -> None:
        listed = sorted(filter(None, markers), key=len, reverse=True)
        self.markers = re.compile("|".join(map(re.escape, listed)) or r"(?!)")

    def foreign(self, text: str) -> str | None:
        """The first part of `text` that can stand in no sequence of the grammar, from where reading it fails; None if all
        of it can."""
        for part in self.markers.split(text):
            if part and not in_grammar(part):
                # A residue sequence fails at its first other character, a SMILES where its lexer does: the later is meant.
                residues = next(i for i, letter in enumerate(part) if letter not in RESIDUES)
                return part[max(residues, after(states(), part)[1]) :]
        return None

    def check(self, text: str) -> None:
        """Raises ForeignText: cut vocabularies have no tokens for it, or would split it otherwise than the whole one."""
        if (found := self.foreign(text)) is not None:
            raise ForeignText(
                f"{shortened(found, 30)!r} can stand in no SMILES and no residue sequence, and this model's vocabulary is cut "
                "to those (--trim-vocab); use the whole one for other text"
            )
