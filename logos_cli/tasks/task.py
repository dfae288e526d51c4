"""Task: how a row becomes a prompt, where its answer ends, and what the answer says.

A task is one file, and one line of the table. `tests/tasks/test_toy_task.py` adds one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from logos_cli.chemistry.grammar import RowError
from logos_cli.engines.sampling import Sampling
from logos_cli.tasks.answer_kinds import AnswerKind

if TYPE_CHECKING:
    from logos_cli.structures.chains import Site

# Upstream README's generation commands; its scripts' own defaults differ (retrosynthesis 0.7 / 0.95, others 1.2 / 0.95).
# top_k 50 is transformers' default, which those commands leave in force.
PUBLISHED = Sampling(temperature=1.2, top_k=50, top_p=0.85, repetition_penalty=1.05, max_tokens=1000)
README_SOURCE = "upstream README's commands"


class Input(Protocol):
    """What a prompt is made from: a row, of whatever file. `rows.row.Row`, which is one, says what the fields mean."""

    @property
    def id(self) -> str: ...
    @property
    def value(self) -> str | tuple[str, ...] | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def text(self) -> str | None: ...
    @property
    def reactants(self) -> tuple[str, ...]: ...
    @property
    def truth(self) -> Any: ...
    @property
    def pocket(self) -> tuple[int, ...]: ...
    @property
    def ligand(self) -> str | None: ...
    @property
    def material(self) -> tuple[str, tuple[str, ...]] | None: ...
    @property
    def part(self) -> str: ...
    @property
    def columns(self) -> Mapping[str, str]: ...
    @property
    def site(self) -> Site | None: ...


@dataclass(frozen=True)
class Style:
    """How rows are put into prompts: SMILES `as_written`, not in canonical form; a protein in a `form` of its task's."""

    as_written: bool = False
    form: str | None = None


@dataclass(frozen=True)
class Prompt:
    """`text` for the model; `shown` goes into the record's `input`, and `asked` beside it, the molecules of the prompt, where
    they are spelled otherwise. `site` says which residues of which chain the text marks. `rebuildable`: these lead back to the
    text; else the record holds it, too.

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
    site: dict[str, Any] | None = None
    rebuildable: bool = True

    @property
    def question(self) -> str:
        """What is shown, spelled as it is in the prompt."""
        return self.shown if self.asked is None else self.asked

    @property
    def stored(self) -> str | None:
        """The text if the record must hold it."""
        return None if self.rebuildable else self.text


NOTHING = Prompt("", "")


@dataclass(frozen=True)
class Tool:
    """A task as an agent calls it: the `name` and what it is `about` are what the agent chooses by; `asks` is the argument that
    holds a row, `takes` says what of."""

    name: str
    about: str
    asks: str
    takes: str


@dataclass(frozen=True)
class Example:
    """A question with its right answer as grammar text: what follows the prompt, None where the row does not say it."""

    prompt: Prompt
    text: str | None


@dataclass(frozen=True)
class Answer:
    """`value` is the record's answer; `smiles` its form in a .smi or FASTA file, equal for equal answers."""

    value: Any
    valid: bool
    smiles: str = ""
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """`takes`, `gives` and `form` (of its prompt) are for people. `stops` end an answer, as the tokenizer's end token always
    does; `needs` are the markers that a model must know.

    `build` makes a row's prompt, `read` an answer of a text, how it ended and the prompt; `example` gives a row with its right
    answer, None for text that is not of this task. All raise RowError for a row that cannot be used.

    `wants` is what its rows hold (see `Reading`), `side` the side of a reaction that it asks with: `reactants` or `product`.
    Without input a task samples anew, and rows of one that does not need it are the beginning of its answer. `whole`: what is
    scored is all that follows the start marker, so that a record's input can show it. `spells` are the parts of a row,
    `question` and `answer`, whose SMILES go in in canonical form unless the user says otherwise; `forms` the ways to show a
    protein, the first of which is usual. `repeats` says of a question and a valid answer, both SMILES, why the answer is
    the question over again, or None. `back` names the task that leads from an answer to its question. `invents`: answers are
    made up, so that new and known can be told apart. `near_counts`: the right answer is one of many, so being like it counts.
    `numbered`: its residues have numbers in the schemes for antibodies. `tool`: agents are offered it.
    """

    name: str
    modality: str
    takes: str
    gives: str
    form: str
    needs: tuple[str, ...]
    answers: AnswerKind
    build: Callable[[Input, Style], Prompt]
    read: Callable[[str, str, Prompt], Answer]
    example_of: Callable[[Input, Style], Example | None]
    stops: tuple[str, ...] = ()
    needs_input: bool = True
    wants: str = "smiles"
    side: str = ""
    whole: bool = False
    spells: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    truth_keys: tuple[str, ...] = ()
    repeats: Callable[[str, str], str | None] | None = None
    back: str = ""
    invents: bool = False
    near_counts: bool = False
    numbered: bool = False
    tool: Tool | None = None
    sampling: Sampling = PUBLISHED
    sampling_source: str = README_SOURCE
    unpublished: str = ""
    style: Style = Style()

    @property
    def source(self) -> str:
        """Where the sampling defaults are from."""
        return self.sampling_source + (f" ({self.unpublished})" if self.unpublished else "")

    @property
    def merges(self) -> bool:
        """Whether, with --top, the samples of a row become one record instead of ranked ones."""
        return self.answers.merges

    @property
    def ends(self) -> bool:
        """Whether the end token follows an answer: not where a marker ends it, nor whole texts."""
        return not (self.stops or self.whole)

    @property
    def mutates(self) -> bool:
        """Whether a row is a chain whose mutants can be scored."""
        return self.whole and self.wants == "sequence"

    @property
    def about_sequence(self) -> bool:
        """Whether its input is a whole protein, which the answer is about."""
        return self.wants == "sequence" and self.needs_input

    def prompt(self, row: Input) -> Prompt:
        """Makes a row's prompt. Raises RowError for a row that this task cannot use."""
        self._refuse_sequence(row)
        return self._with_site(self.build(row, self.style), row)

    def example(self, row: Input) -> Example | None:
        """Gives a row with its right answer, None for text that is not of this task. Raises RowError as `prompt` does."""
        self._refuse_sequence(row)
        example = self.example_of(row, self.style)
        return example and replace(example, prompt=self._with_site(example.prompt, row))

    def _refuse_sequence(self, row: Input) -> None:
        if row.text is None and row.value and row.kind == "sequence" and self.wants == "smiles":
            raise RowError(f"a sequence of residues; {self.name} takes SMILES")

    def _with_site(self, prompt: Prompt, row: Input) -> Prompt:
        site = chain_of(row) or {}
        if prompt.pocket:
            site["pocket"] = list(prompt.pocket)
            if row.site:
                site |= {"residues": row.site.own(prompt.pocket), **row.site.confidence(prompt.pocket)}
        return replace(prompt, site=site or None)

    def parse(self, text: str, finish: str, prompt: Prompt = NOTHING) -> Answer:
        """Reads what a model wrote after `prompt`."""
        return self.read(text, finish, prompt)

    def reaction(self, question: str, answer: str) -> str | None:
        """Gives question and answer as a reaction SMILES, of a task that asks with one side of it."""
        return {"product": f"{answer}>>{question}", "reactants": f"{question}>>{answer}"}.get(self.side)

    def truth(self, value: Any) -> Any:
        """Reads a right answer in any form that is usual; None if it is none."""
        return self.answers.truth(value, self.answer_keys, -1 if self.side == "reactants" else 0)

    @property
    def answer_keys(self) -> tuple[str, ...]:
        """Keys of a JSON line, and columns of a table, that hold a right answer."""
        return self.truth_keys or self.answers.truth_keys


def chain_of(row: Input) -> dict[str, Any] | None:
    """Gives what a record says of a structure's chain: what was done to read it, and its own numbers as `OwnNumbers.runs`."""
    if row.site is None:
        return None
    notes = {"notes": list(row.site.notes)} if row.site.notes else {}
    return {"chain": row.site.chain, **notes, "numbers": row.site.own_numbers.runs()}


def invalid(reason: str, value: Any = None) -> Answer:
    """Gives an answer that is not valid."""
    return Answer(value, False, reason=reason)


def body_of(text: str, finish: str, end: str) -> str | Answer:
    """Gives what stands before the end marker; the invalid answer for a text that was cut or has none."""
    if finish == "length":
        return invalid("cut at the token limit")
    return text.removesuffix(end) if text.endswith(end) else invalid(f"no {end}")
