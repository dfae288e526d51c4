"""What can stand in a sequence of the grammar: a real SMILES lexer as the judge, and closure under substrings."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem
from strategies import smiles

from logos_cli.chemistry.alphabet import Grammar, _automaton, after, in_grammar, in_smiles, lexable, states
from logos_cli.chemistry.grammar import MARKERS
from logos_cli.errors import ForeignText


def test_every_state_can_be_reached_and_left() -> None:
    """Else `in_smiles` would take what no whole SMILES holds."""
    edges = _automaton()
    reached, fresh = {"out"}, {"out"}
    while fresh:
        fresh = {to for state in fresh for targets in edges.get(state, {}).values() for to in targets} - reached
        reached |= fresh
    assert reached == states()
    leaving = {"out"}
    while more := {s for s, found in edges.items() if any(leaving & to for to in found.values())} - leaving:
        leaving |= more
    assert leaving == states()


@pytest.mark.slow
@given(smiles, st.data())
def test_substrings_of_smiles_are_in_the_grammar(text: str, data: st.DataObject) -> None:
    assert lexable(text)
    start = data.draw(st.integers(0, len(text)))
    assert in_smiles(text[start : data.draw(st.integers(start, len(text)))])


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", max_size=30))
def test_residues_are_in_the_grammar(text: str) -> None:
    assert in_grammar(text)


@pytest.mark.parametrize(
    "text",
    ["[C@@H](N)C", "C[N+](C)(C)C.[Cl-]", "[Zn][O]([Zn])([Zn])[Zn]", "c1ccc2[nH]ccc2c1", "F/C=C\\F", "[13CH3:7]", "N->[Pt]<-N",
     "C%12CC%12", "[Fe+2]", "[se]1cccc1", "OB(O)c1ccccc1", "[Cu]123<-[O]", "[2H]C", "[Co@OH12](F)(Cl)(Br)(I)N", "C%(100)"],
)  # fmt: skip
def test_what_chemists_write(text: str) -> None:
    assert lexable(text)


@pytest.mark.parametrize(
    "text", [" ", "hello", "don't", "é", "C C", "{}", "[[", "]]", "[C", "C]", "%%", "Xq", "\n", "<ProteinS>", "@C", "日"]
)
def test_what_is_no_whole_smiles(text: str) -> None:
    assert not lexable(text)
    if text in ("[[", "]]", "%%", "Xq", " ", "hello", "don't", "é", "{}", "\n", "日"):
        assert not in_grammar(text)


@given(st.text("CNOclbr[]()=#123+-@HF%/\\.", max_size=12))
def test_what_rdkit_parses_is_lexable(text: str) -> None:
    if text and Chem.MolFromSmiles(text, sanitize=False) is not None:
        assert lexable(text), "RDKit's own lexer takes it"


@pytest.mark.slow
@given(st.text(max_size=30), st.data())
def test_the_grammar_is_closed_under_substrings(text: str, data: st.DataObject) -> None:
    if in_grammar(text):
        start = data.draw(st.integers(0, len(text)))
        assert in_grammar(text[start : data.draw(st.integers(start, len(text)))])


def test_foreign_text_is_named() -> None:
    grammar = Grammar(MARKERS)
    good = "<ProteinS>MK<PocketS>N[C@@H](CO)C(=O)O<PocketE>T<ProteinE><MoleculeS>N->[Pt]<MoleculeE>"
    assert grammar.foreign(good) is None
    assert grammar.foreign("<ProteinS>MKT hello<ProteinE>") == " hello"
    assert grammar.foreign("<MoleculeS>c1ccccc1é<MoleculeE>") == "é"
    assert grammar.foreign("<Foo>") == "Foo>", "what looks like a marker and is none is text"
    with pytest.raises(ForeignText, match=re.escape("' hello' can stand in no SMILES")):
        grammar.check("<ProteinS>MKT hello<ProteinE>")


def test_where_reading_fails() -> None:
    assert after({"out"}, "CC!C")[1] == 2 and after({"out"}, "CC")[0] >= {"out"}
