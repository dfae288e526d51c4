"""Structures by RDKit: how large one is on paper, and its drawing as SVG or as pixels."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from logos_cli.chemistry.smiles import MAX_SMILES, rdkit
from logos_cli.drawing.sheet import Molecule

# Pixels an ångström: a bond of 30 pixels, labels that can be read at half of it.
_SCALE = 20.0
_LINE = 1.6
MOST_ATOMS = 250  # a chain of so many is a hair of 6,000 pixels, and no cell shows it
# What RDKit repeats on each of its lines although it is what SVG does anyway, or nobody's: two thirds of the file.
_NEEDLESS = re.compile(
    r"<\?xml[^>]*\?>|<!--.*?-->|<svg[^>]*>|</svg>| class='[^']*'|fill-rule:evenodd;|;stroke-linecap:butt"
    r"|;stroke-linejoin:miter|;stroke-opacity:1(?=')",
    re.DOTALL,
)


class Undrawn(ValueError):
    """A molecule that can only be shown as text; the message says why."""


@dataclass(frozen=True)
class Picture:
    """The natural size in pixels, and SVG elements to put under a viewBox of this size."""

    width: float
    height: float
    svg: str


@lru_cache(maxsize=4096)
def picture(molecule: Molecule) -> Picture:
    """Raises Undrawn."""
    from rdkit.Chem.Draw.rdMolDraw2D import MolDraw2DSVG

    drawer = _drawn(MolDraw2DSVG, molecule, 1.0)
    lines = _NEEDLESS.sub("", drawer.GetDrawingText()).splitlines()
    return Picture(drawer.Width(), drawer.Height(), "".join(line.strip() for line in lines))


def raster(molecule: Molecule, scale: float) -> bytes:
    """Draws a PNG of the molecule at `scale` times its natural size, its ground transparent. Raises Undrawn."""
    from rdkit.Chem.Draw.rdMolDraw2D import MolDraw2DCairo

    return bytes(_drawn(MolDraw2DCairo, molecule, scale).GetDrawingText())


def _drawn(kind: Any, molecule: Molecule, scale: float) -> Any:
    drawer = kind(-1, -1)  # as large as the drawing becomes
    options = drawer.drawOptions()
    options.scalingFactor = _SCALE * scale
    options.bondLineWidth = _LINE * scale
    options.baseFontSize = 0.7
    options.minFontSize = -1  # labels shrink with their bonds, on paper and in pixels alike
    options.clearBackground = False
    options.includeRadicals = not molecule.lenient
    options.prepareMolsBeforeDrawing = False
    try:
        drawer.DrawMolecule(_prepared(molecule))
        drawer.FinishDrawing()
    except Undrawn:
        raise
    except (ValueError, RuntimeError) as error:
        raise Undrawn(f"not drawn: {str(error).splitlines()[0] if str(error) else 'RDKit gave no reason'}") from None
    return drawer


@lru_cache(maxsize=4096)
def _prepared(molecule: Molecule) -> Any:
    """Prepares a molecule with coordinates, aromatic rings in Kekulé's form, wedges. Raises Undrawn."""
    chem, smiles = rdkit(), molecule.smiles
    if not smiles.strip() or "\0" in smiles:
        raise Undrawn("no SMILES")
    if len(smiles) > MAX_SMILES:
        raise Undrawn(f"not drawn: {len(smiles):,} characters")
    mol = chem.MolFromSmiles(smiles)
    if whole := mol is not None:
        for atom in mol.GetAtoms():
            atom.SetAtomMapNum(0)
    elif molecule.lenient:
        mol = chem.MolFromSmiles(smiles, sanitize=False)
    if mol is None or mol.GetNumAtoms() == 0:
        raise Undrawn("not a SMILES that RDKit reads")
    if mol.GetNumAtoms() > MOST_ATOMS:
        raise Undrawn(f"not drawn: {mol.GetNumAtoms():,} atoms")
    return placed(mol, whole)


def placed(mol: Any, whole: bool) -> Any:
    """Makes `mol` ready to draw; one that is not `whole` has not been sanitized."""
    from rdkit.Chem import rdDepictor
    from rdkit.Chem.Draw.rdMolDraw2D import PrepareMolForDrawing

    chem = rdkit()
    if not whole:
        mol.UpdatePropertyCache(strict=False)
        chem.FastFindRings(mol)
        # Rings that cannot be written in Kekulé's form keep their dashed bonds.
        with suppress(ValueError, RuntimeError):
            chem.Kekulize(mol, clearAromaticFlags=True)
    mol = PrepareMolForDrawing(mol, kekulize=whole, addChiralHs=whole, wedgeBonds=whole, forceCoords=True)
    rdDepictor.StraightenDepiction(mol)
    return mol
