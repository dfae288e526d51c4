"""More proteins out of few: random stretches, and strangers' residues around a pocket. Pure functions of a `Random`.

The pockets and complexes hold some 700 proteins, few enough to learn by heart; an answer of the binding-site task must
be copied from its prompt, so the same pocket is shown in many surroundings.
"""

from __future__ import annotations

import random

from logos_cli.nano.recipe.forms import Protein


def part(given: Protein, first: int, after: int) -> Protein:
    """Residues `first` up to `after` (not included) with their pocket."""
    return Protein(given.sequence[first:after], frozenset(i - first for i in given.pocket if first <= i < after))


def crop(given: Protein, size: int, rng: random.Random) -> Protein:
    """A random stretch of `size` residues that holds a pocket residue; the whole protein if that is no longer."""
    if size >= len(given.sequence):
        return given
    anchor = rng.choice(sorted(given.pocket))
    first = min(max(anchor - rng.randrange(size), 0), len(given.sequence) - size)
    return part(given, first, first + size)


def any_octave(shortest: int, longest: int, rng: random.Random) -> int:
    """A size from `shortest` to `longest`, such that every doubling of it brings about as many residues in all."""
    return int(1 / rng.uniform(1 / longest, 1 / shortest))


def around_pocket(given: Protein, longest: int, rng: random.Random) -> Protein:
    """A stretch of at most `longest` residues with the whole pocket in it, or as much of it as such a stretch can hold."""
    if len(given.sequence) <= longest:
        return given
    low, high = min(given.pocket), max(given.pocket) + 1
    spare = longest - (high - low)
    first = low - rng.randint(0, spare) if spare > 0 else low + rng.randint(0, -spare)
    first = min(max(first, 0), len(given.sequence) - longest)
    return part(given, first, first + longest)


def transplant(given: Protein, stranger: str, near: int, rng: random.Random) -> Protein:
    """The residues more than `near` places from every pocket residue, replaced by those of another protein."""
    kept = {i + step for i in given.pocket for step in range(-near, near + 1)}
    offset = rng.randrange(len(stranger))
    text = [residue if i in kept else stranger[(offset + i) % len(stranger)] for i, residue in enumerate(given.sequence)]
    return Protein("".join(text), given.pocket)
