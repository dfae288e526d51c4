"""What people write where a SMILES is expected: blanks inside it, CXSMILES extensions, `~` between ions, a name behind it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from logos_cli.chemistry.cxsmiles import fragment_groups, left_out_of, unknown_groups, with_extension
from logos_cli.chemistry.smiles import MAX_SMILES, canonical, rdkit, shortened

_ATOM = r"\[[^\[\]\s]+\]|Br|Cl|[BCNOPSFIbcnops*]"
_TOKEN = re.compile(rf"{_ATOM}|->|<-|>>?|%\d\d|%\(\d+\)|[().=#$:~@?/\\+\d-]")
# Atomic: `->` is one token, and a text that is none is refused without trying all ways to cut it.
_TOKENS = re.compile(f"(?>{_TOKEN.pattern})++")
_BEGINNING = re.compile(rf"(?>{_TOKEN.pattern})*+(?:\[[^\[\]\s]*|%\d?|%\(\d*)?")
_RING = re.compile(r"\[[^\[\]\s]*\]|%(\d\d)|%\((\d+)\)|(\d)")
# How names begin, not how a SMILES goes on, although all of it could stand in one.
_LABEL = re.compile(r"\((?:S|[+-]{1,2}|\d{1,2})\)$")
_STRUCTURAL = frozenset("()[]=#@/\\")
_JOINING = frozenset(">.")
# Words by which people write a reaction or a mixture; no name is one of them.
_SIGNS = frozenset(("+", "->", "-->", "=>", "==>", "→", ">", ">>", "."))
_CHARGE = re.compile(r"[+-]\d*(?::\d+)?\]")
_ARROW = re.compile(r"(?<!-)>")
TOKENS_AT_LEAST = 3  # words of one token each that make a line a list of tokens


@dataclass(frozen=True)
class Written:
    """`smiles` as it goes on, one molecule or reaction; `rest` is what follows it, mostly a name. `parts` are its molecules,
    of a reaction the reactants, where something says which fragments belong together. `left_out` names what an extension
    says and a SMILES cannot. `doubtful`: the name could be read as a SMILES."""

    smiles: str
    rest: str = ""
    parts: tuple[str, ...] = ()
    error: str | None = None
    left_out: tuple[str, ...] = ()
    doubtful: bool = False


def read_line(line: str, named: bool = False, tokens: bool = False, grouped: bool = False) -> Written:
    """One line of a `.smi`: SMILES, extension, name. After a tab comes the name. `named`: the file's names look like SMILES;
    `tokens`: the file writes its SMILES as tokens; `grouped`: what is asked for is a set of molecules."""
    before, tab, after = line.strip().partition("\t")
    after = after.replace("\t", " ").strip()
    smiles, extension, rest = cut(before)
    words = smiles.split()
    if not extension and len(words) == 1 and after.startswith("|"):
        _, extension, after = cut(after)  # `SMILES<TAB>|…|<TAB>name`
    used, error = extent(words, named, tokens)
    if tab and used < len(words) <= MAX_SMILES and not error and parses("".join(words)):
        error = f"a blank inside a SMILES: {shortened(before)}; join the two: after the tab comes the name"
    name = smiles.split(maxsplit=used)[used:]
    doubtful = name[0].split()[0] if name and not error and not named else ""
    if name and extension:  # not behind the SMILES: part of the name
        name, extension = [*name, extension], ""
    found = meaning("".join(words[:used]), extension, grouped)
    return Written(
        found.smiles,
        " ".join(filter(None, (*name, rest, after))),
        found.parts,
        error,
        found.left_out,
        only_tokens(doubtful) and parses(doubtful),
    )


def read_cell(cell: str, grouped: bool = False) -> Written:
    """A cell or a JSON text, which holds no name: blanks that cannot be inside a SMILES stay, and are refused later."""
    smiles, extension, _ = cut(cell)
    words = smiles.split()
    used, error = extent(words, tokens=True)
    if error or used < len(words):
        return Written(cell.strip())
    return meaning("".join(words), extension, grouped)


def cut(text: str) -> tuple[str, str, str]:
    """(SMILES and what may be more of it, the extension `|…|` with its bars, what follows)."""
    found = re.search(r"(?:^|\s)\|", text)
    if not found or "|" not in text[found.end() :]:
        return text.strip(), "", ""
    extension, rest = _extension(text[found.end() - 1 :])
    return text[: found.start()].strip(), extension, rest


def _extension(text: str) -> tuple[str, str]:
    inside, _, rest = text[1:].partition("|")
    return f"|{inside}|", rest.strip()


def meaning(smiles: str, extension: str = "", grouped: bool = False) -> Written:
    """What SMILES and extension say together."""
    parts: tuple[str, ...] = ()
    reaction = bool(_ARROW.search(smiles))
    if "~" in smiles and (reaction or grouped or _CHARGE.search(smiles)):
        left = _ARROW.split(smiles)[0]
        parts = tuple(part.replace("~", ".") for part in left.split(".")) if "~" in left else ()
        smiles = smiles.replace("~", ".")
    if not extension:
        return Written(smiles, parts=parts)
    whole, lost = with_extension(smiles, extension[1:-1])
    if groups := fragment_groups(whole, extension[1:-1]):
        parts = groups
    unknown = ("groups of fragments that are not there",) if unknown_groups(whole, extension[1:-1]) else ()
    return Written(whole, parts=parts, left_out=(*lost, *unknown, *left_out_of(extension[1:-1])))


def extent(words: Sequence[str], named: bool = False, tokens: bool = False) -> tuple[int, str | None]:
    """(how many of the words are the SMILES, why the line cannot be read). The words after them are a name; `named`: even
    where the next one is a SMILES too. `tokens`: even two words may be tokens."""
    if len(words) < 2:
        return len(words), None
    run = tokens_of(words)
    if len(words) > MAX_SMILES:
        return max(run, 1), None  # too long for a SMILES, or a name that is a text
    used = run if run >= TOKENS_AT_LEAST or (run == len(words) and (tokens or not words[1].isalpha())) else 1
    while used < len(words) and only_tokens(words[used]):
        word, smiles = words[used], "".join(words[:used])
        if word[0] in _JOINING or smiles[-1] in _JOINING:
            used += 1
        elif not closed(smiles):
            ends = range(used + 1, min(len(words), used + 20) + 1)
            more = next((end for end in ends if parses("".join(words[:end]))), None)
            if more is None:
                break
            used = more
        elif named or word.isalpha() or word.isdigit() or _LABEL.match(word):
            break
        elif not is_molecule(word) and parses(smiles + word):
            used += 1
        elif is_molecule(word) or _STRUCTURAL.intersection(word):
            told = "join them, or put a tab before the name"
            return used, f"a blank inside a SMILES, between {shortened(smiles)} and {shortened(word)}; {told}"
        else:
            break
    rest = words[used:]
    if rest and (rest[0] in _SIGNS or any(">>" in word and only_tokens(word) for word in rest)):
        return used, f"not how a reaction or a mixture is written as SMILES: {shortened(' '.join(words))}"
    if holds_tokens(rest):
        return used, f"blanks inside a SMILES: {shortened(' '.join(words))}"
    return used, None


def holds_tokens(words: Sequence[str]) -> bool:
    """Whether a name goes on as a SMILES that is written as tokens."""
    for at, word in enumerate(words[:100]):
        if one_token(word) and word.isalpha():
            run = tokens_of(words[at : at + 200])
            if run >= TOKENS_AT_LEAST and parses("".join(words[at : at + run])):
                return True
    return False


def tokens_of(words: Sequence[str]) -> int:
    """How many words, from the first on, are one token of a SMILES each, or one of its characters: `C l`, `[ n H ]`. None if
    all but the first are numbers, which are columns."""
    count, inside, before = 0, False, ""
    for word in words:
        fits = len(word) == 1 if inside else one_token(word) or word == "[" or before + word in ("Cl", "Br")
        if not fits:
            break
        inside = word == "[" or (inside and word != "]")
        count, before = count + 1, word
    return 0 if all(word.isdigit() for word in words[1:count]) else count


def one_token(word: str) -> bool:
    return bool(_TOKEN.fullmatch(word))


def only_tokens(text: str) -> bool:
    """Whether `text` could be a piece of a SMILES."""
    return bool(_TOKENS.fullmatch(text))


def closed(smiles: str) -> bool:
    """Whether every branch and ring that was opened is closed."""
    rings: set[str] = set()
    for found in _RING.finditer(smiles):
        if number := found[1] or found[2] or found[3]:
            rings ^= {number.lstrip("0") or "0"}
    plain = re.sub(r"\[[^\[\]]*\]", "", smiles)
    return not rings and plain.count("(") == plain.count(")") and "[" not in plain


def parses(smiles: str) -> bool:
    """Whether a SMILES, or each side of a reaction, is valid."""
    if len(smiles) > MAX_SMILES * 3:
        return False
    sides = [side for side in _ARROW.split(smiles) if side]
    return bool(sides) and all(canonical(side.replace("~", ".")) is not None for side in sides)


def is_molecule(text: str) -> bool:
    """Whether a word is a whole SMILES of more than one atom."""
    if not begins_a_smiles(text) or not closed(text) or len(text) > MAX_SMILES:
        return False
    mol = rdkit().MolFromSmiles(text)
    return mol is not None and mol.GetNumAtoms() > 1


def begins_a_smiles(prefix: str) -> bool:
    """Whether something can follow `prefix` that makes a SMILES of it: a name or an InChI is none."""
    start = re.match(rf"(?:{_ATOM}|\[[^\[\]\s]*$)", prefix)
    if not start or not _BEGINNING.fullmatch(prefix):
        return False
    plain = re.sub(r"\[[^\[\]]*(?:\]|$)", "C", prefix)
    depth = 0
    for letter in plain:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            return False
    # A bond or a branch has an atom before it; the reaction arrows and query bonds are no part of a molecule.
    return not re.search(
        r"[>~?@]|\(\)|\(\(|[.(][)=#$:]{2}|\.[.()=#$]|[=#$][=#$).]", plain.replace("->", "-").replace("<-", "-")
    )


def bracket_atoms_valid(smiles: str) -> bool:
    """Whether RDKit knows each bracket atom of a text that need not be whole."""
    return all(rdkit().MolFromSmiles(one, sanitize=False) is not None for one in re.findall(r"\[[^\[\]]*\]", smiles))
