"""What `protein` and `antibody` share: a chain between its own markers, begun by the row or not at all."""

from __future__ import annotations

from dataclasses import dataclass

from logos_cli.chemistry.grammar import RowError, residues
from logos_cli.chemistry.residues import STANDARD
from logos_cli.chemistry.smiles import shortened
from logos_cli.tasks.proteins import reads_back, sequence_of
from logos_cli.tasks.task import Answer, Example, Input, Prompt, Style, body_of, invalid


@dataclass(frozen=True)
class Chain:
    """A chain by its markers."""

    start: str
    end: str

    def build(self, row: Input, style: Style) -> Prompt:
        """Makes a prompt of nothing, or of the first residues of a sequence."""
        if row.text is not None:
            if not row.text.startswith(self.start):
                raise RowError(f"the text is not {self.start} and perhaps residues: {shortened(row.text)}")
            beginning = row.text.removeprefix(self.start)
        else:
            beginning = row.value if isinstance(row.value, str) else ""
        prefix = residues(beginning) if beginning else ""
        return Prompt(self.start + prefix, prefix, prefix=prefix, rebuildable=prefix == beginning or reads_back(prefix))

    def example(self, row: Input, style: Style) -> Example | None:
        """Gives the whole chain, none of it as the question."""
        prompt = Prompt(self.start, "")
        if row.text is not None:
            return Example(prompt, row.text.removeprefix(self.start)) if row.text.startswith(self.start) else None
        return Example(prompt, sequence_of(row) + self.end)

    def read(self, text: str, finish: str, prompt: Prompt) -> Answer:
        """Reads standard residues up to the end marker, with those of the prompt."""
        body = body_of(text, finish, self.end)
        if not isinstance(body, str):
            return body
        value = prompt.prefix + body
        if not value:
            return invalid("empty sequence")
        for place, letter in enumerate(value, 1):
            if letter not in STANDARD:
                return invalid(f"{shortened(letter)!r} at residue {place} is not a standard residue", value)
        return Answer(value, True, value)
