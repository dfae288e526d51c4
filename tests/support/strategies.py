"""Hypothesis strategies of texts."""

from __future__ import annotations

from hypothesis import strategies as st

from logos_cli.chemistry.alphabet import _ELEMENTS

ATOMS = st.sampled_from(["C", "N", "O", "Cl", "Br", "c", "n", "s", "F", "I", "P", "B", "*"])
BONDS = st.sampled_from(["", "", "", "-", "=", "#", "$", ":", "/", "\\", "~", "->", "<-", "."])
RINGS = st.sampled_from(["", "", "1", "9", "%12", "%(101)", "12"])
bracket = st.builds(
    lambda isotope, symbol, chiral, hydrogens, charge, number: f"[{isotope}{symbol}{chiral}{hydrogens}{charge}{number}]",
    st.sampled_from(["", "2", "13", "235"]),
    st.sampled_from([*_ELEMENTS, "se", "te", "as", "si", "c", "n", "*", "#6", "#117"]),
    st.sampled_from(["", "@", "@@", "@TH1", "@AL2", "@SP3", "@TB20", "@OH30"]),
    st.sampled_from(["", "H", "H2", "H12"]),
    st.sampled_from(["", "+", "-", "++", "---", "+2", "-12"]),
    st.sampled_from(["", ":1", ":123"]),
)
smiles = st.lists(st.builds(lambda bond, atom, ring: bond + atom + ring, BONDS, ATOMS | bracket, RINGS), min_size=1).map(
    "".join
)
