"""A row as grammar text and as tokens: the prompt, and what a model would have to write after it. What is scored, what models
are compared on and what they are calibrated with all come from here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from logos_cli.chemistry.grammar import RowError
from logos_cli.chemistry.mutants import named
from logos_cli.engines.engine import Engine
from logos_cli.pipeline.recorded import numbers_of, rebuilt_prompt
from logos_cli.rows.row import Recorded, Row
from logos_cli.tasks.table import TASKS, spelled, task_for
from logos_cli.tasks.task import Prompt, Task

BARE = Row(0, "")


@dataclass(frozen=True)
class GrammarText:
    """`text` follows `prompt`, None where the row does not say it; `ends`: the tokenizer's end token follows it. `fields` are
    those of a score's record."""

    prompt: str
    text: str | None
    ends: bool = False
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def whole(self) -> str:
        """Prompt and text."""
        return self.prompt + (self.text or "")


def task_and_record(row: Row, task: Task | None) -> tuple[Task, Recorded | None]:
    """Says what a row is read as, by `task` or by itself; and the record that it is, unless `task` says that it is another."""
    own = TASKS.get(row.recorded.task) if row.recorded else None
    task = task or own or task_for(row)
    return task, row.recorded if row.recorded and row.recorded.task == task.name else None


def grammar_text(row: Row, task: Task | None, as_written: bool = False, answer: bool = True) -> GrammarText:
    """Turns a row into grammar text: a record of ours into what it was, any other row into what `task` makes of it. Raises
    RowError for a row that cannot be used and, if an `answer` is needed, for one that says none."""
    chosen, recorded = task_and_record(row, task)
    if recorded is not None:
        return text_of_record(row, recorded, chosen)
    if row.error is not None:
        raise RowError(row.error)
    return text_of_row(row, spelled(chosen, as_written), answer)


def text_of_row(row: Row, task: Task, answer: bool = True) -> GrammarText:
    """Turns a row that is no record into grammar text. Raises RowError."""
    shown = task.prompt(row).shown if task.whole and row.text is None else ""
    example = task.example(row)
    if example is None or example.text is None:
        if answer:
            raise RowError(f"no answer to score in this row: {task.name} needs its prompt and what follows")
        return GrammarText((example.prompt if example else task.prompt(row)).text, None)
    if not task.whole:
        fields = answer_fields(task, example.prompt, example.text, "stop")
        return GrammarText(example.prompt.text, example.text, task.ends, fields)
    fields = {"input": row.text if row.text is not None else shown or shown_of(row)}
    canonical = example.text.removesuffix(task.stops[0] if task.stops else "")
    if task.spells and row.text is None and canonical != fields["input"]:
        fields["asked"] = canonical
    return GrammarText(example.prompt.text, example.text, task.ends, fields)


def answer_fields(task: Task, prompt: Prompt, text: str, finish: str) -> dict[str, Any]:
    """Gives what `generate` would have recorded, but no answer that is not valid: a score does not say whether it is."""
    answer = task.parse(text, finish, prompt)
    return {
        "input": prompt.shown, "asked": prompt.asked, "answer": answer.value if answer.valid else None,
        "reaction": task.reaction(prompt.question, answer.smiles) if answer.valid else None, "text": text,
        "site": prompt.site, "prompt": prompt.stored,
    }  # fmt: skip


def text_of_record(row: Row, recorded: Recorded, task: Task) -> GrammarText:
    """Turns one of our own records into its own prompt and what was written, valid or not. Raises RowError for a record that
    does not have both."""
    if recorded.text is None:
        return text_of_record_without_text(row, recorded, task)
    # A form of the command line is another question than the record's; a spelling is not, for a record has its own.
    stored = None if task.style.form is not None else recorded.prompt
    if stored is None:
        prompt = rebuilt_prompt(task, recorded.question, recorded.site)
    else:
        prompt = task.prompt(replace(BARE, text=stored))
    fields = answer_fields(task, prompt, recorded.text, recorded.finish or "stop")
    fields |= {"input": recorded.input, "asked": recorded.asked, "site": recorded.site}
    fields |= {"prompt": stored, "finish": recorded.finish}
    ends = task.ends
    if recorded.finish is not None:  # the end token may stop any task, and a cut text has none
        ends = recorded.finish != "length" and not recorded.text.endswith(task.stops)
    return GrammarText(prompt.text if stored is None else stored, recorded.text, ends, fields)


def text_of_record_without_text(row: Row, recorded: Recorded, task: Task) -> GrammarText:
    """Turns a score whose input is all of it, or a merged record, which no sample needs to have written, into grammar text."""
    if recorded.scored and task.whole:
        whole = recorded.question
        if recorded.mutant is not None:
            mutant = named(recorded.mutant, whole, numbers_of(recorded.site))
            if mutant.error:
                raise RowError(f"{mutant.name}: {mutant.error}")
            whole = mutant.sequence
        if whole.startswith("<"):
            return text_of_row(replace(BARE, text=whole), task)
        scored = text_of_row(replace(BARE, value=whole), spelled(task))
        spelling = {"input": recorded.input, "asked": recorded.asked} if recorded.asked is not None else {}
        return replace(scored, fields=scored.fields | spelling)
    if task.merges and row.error is None and not recorded.scored:
        return text_of_row(row, task)
    raise RowError("the record has no text that could be scored")


def shown_of(row: Row) -> str:
    """Gives what a record can show of a row that could not be read further."""
    if row.recorded:
        return row.recorded.input
    shown = row.text if row.text is not None else row.material[0] if row.material else row.value
    return ".".join(shown) if isinstance(shown, tuple) else shown or ""


def tokens_of(text: GrammarText, engine: Engine) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Encodes (prompt, what follows it), the end included. Raises RowError for what the context cannot hold."""
    prompt = engine.encode(text.prompt)
    if text.text is None:
        check_room(len(prompt), engine)
        return prompt, ()
    whole = engine.encode(text.whole)
    if not prompt:
        prompt = whole[:1]  # a tokenizer without a start token: nothing stands before the first one
    elif whole[: len(prompt)] != prompt:
        # The tokenizer would join the prompt's end with what follows; `generate` goes on from the prompt's own tokens.
        whole = prompt + engine.encode(text.text)[len(engine.encode("")) :]
    written = (*whole[len(prompt) :], *((engine.end,) if text.ends else ()))
    check_room(len(prompt) + len(written), engine)
    if not written:
        raise RowError("nothing to score")
    return prompt, written


def check_room(tokens: int, engine: Engine) -> None:
    """Raises RowError for more tokens than the context holds."""
    if tokens > engine.info.context:
        raise RowError(f"{tokens:,} tokens; the model's context is {engine.info.context:,}")
