"""Quantities in words for people."""

from __future__ import annotations


def size(count: float) -> str:
    """Give bytes in powers of ten, as disks and downloads count."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def counted(number: int, noun: str) -> str:
    """Give a number with its noun in the right form."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
