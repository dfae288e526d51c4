"""raw: grammar text, continued as it is."""

from __future__ import annotations

from logos_cli.chemistry.grammar import RowError
from logos_cli.tasks.answer_kinds import TEXT
from logos_cli.tasks.task import NOTHING, Answer, Example, Input, Prompt, Style, Task, invalid


def build(row: Input, style: Style) -> Prompt:
    """Takes the text as the prompt."""
    text = row.text if row.text is not None else row.value
    if not isinstance(text, str) or not text:
        raise RowError('raw takes grammar text: {"id": …, "text": …} lines')
    if "\0" in text:
        raise RowError("NUL byte in the text")
    return Prompt(text, text)


def example(row: Input, style: Style) -> Example:
    """Gives all of the text, and the answer that came with it, after nothing."""
    return Example(NOTHING, build(row, style).text + (row.truth if isinstance(row.truth, str) else ""))


def read(text: str, finish: str, prompt: Prompt) -> Answer:
    """Takes the text as the answer."""
    return Answer(text, True, text) if text else invalid("empty answer")


TASK = Task(
    name="raw", modality="any", takes='grammar text, {"id", "text"} lines, continued as it is', gives="the text that follows",
    form="the text", needs=(), answers=TEXT, build=build, read=read, example_of=example, wants="any", whole=True,
)  # fmt: skip
