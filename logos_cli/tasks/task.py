"""What goes into a task and what comes out: Prompt and Answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prompt:
    """`text` for the model; `shown` goes into the record's `input`, and `asked` beside it, the molecules of the prompt, where
    they are spelled otherwise.

    What reading the answer needs: `prefix`, which the answer goes on from; the protein's `sequence` and `pocket` (from 1).
    `least` and `usual` are the shortest possible and a usual answer, where one can be told: a cut is then foreseen.
    `truth` is the right answer, if the row itself has it.
    """

    text: str
    shown: str
    asked: str | None = None
    prefix: str = ""
    sequence: str = ""
    pocket: tuple[int, ...] = ()
    least: str = ""
    usual: str = ""
    truth: Any = None

    @property
    def question(self) -> str:
        """What is shown, spelled as it is in the prompt."""
        return self.shown if self.asked is None else self.asked


NOTHING = Prompt("", "")


@dataclass(frozen=True)
class Answer:
    """`value` is the record's answer; `smiles` its form in a .smi or FASTA file, equal for equal answers."""

    value: Any
    valid: bool
    smiles: str = ""
    reason: str | None = None


def invalid(reason: str, value: Any = None) -> Answer:
    return Answer(value, False, reason=reason)


def body_of(text: str, finish: str, end: str) -> str | Answer:
    """What stands before the end marker; the invalid answer for a text that was cut or has none."""
    if finish == "length":
        return invalid("cut at the token limit")
    return text.removesuffix(end) if text.endswith(end) else invalid(f"no {end}")
