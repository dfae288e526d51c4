"""Texts to compare models on: the user's rows as grammar text, or samples that the baseline writes itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from logos_cli.chemistry.grammar import RowError
from logos_cli.engines.engine import Engine, Request
from logos_cli.engines.sampling import Sampling
from logos_cli.errors import InputError, TokenizerError
from logos_cli.rows.row import Row
from logos_cli.tasks.table import Task

# How the baseline starts and ends each modality by itself; one is known if all its markers are single tokens.
_STARTS = {
    "molecule": ("<MoleculeS>", "<MoleculeE>"),
    "protein": ("<ProteinS>", "<ProteinE>"),
    "antibody": ("<AntibodyS>", "<AntibodyE>"),
    "material": ("<MaterialS>", "<MaterialE>"),
}
_MATERIAL_MARKERS = ("<MetalS>", "<MetalE>", "<MoleculeS>", "<MoleculeE>")
# Modality -> what it goes on from, its markers, the prompt after that text, where its answer ends.
_CONTINUED: Mapping[str, tuple[str, tuple[str, ...], str, tuple[str, ...]]] = {
    "reaction": ("molecule", ("<ReverseReact>",), "<ReverseReact>", ()),
    "pocket": ("protein", ("<Search>", "<PocketS>", "<PocketE>"), "<Search><ProteinS>", ("<ProteinE>",)),
    "complex": ("protein", ("<MoleculeS>", "<MoleculeE>"), "<MoleculeS>", ("<MoleculeE>",)),
}
OWN = (*_STARTS, *_CONTINUED)


@dataclass(frozen=True)
class Text:
    """One sequence to read; `id` names it in results, `modality` groups it. Its first `given` characters were a prompt:
    they are read, and not counted."""

    id: str
    modality: str
    text: str
    given: int = 0


def modality_of(text: str) -> str:
    """By the markers a sequence has; `text` for one without any."""
    if "<AntibodyS>" in text:
        return "antibody"
    if "<MaterialS>" in text:
        return "material"
    if "<ReverseReact>" in text or "<React>" in text:
        return "reaction"
    if "<ProteinS>" in text:
        if "<MoleculeS>" in text:
            return "complex"
        return "pocket" if "<PocketS>" in text or "<Search>" in text else "protein"
    return "molecule" if "<MoleculeS>" in text else "text"


def row_text(row: Row, task: Task) -> str:
    """The whole sequence of a row where its answer is known, else its prompt. Raises RowError for a row the task cannot use."""
    if row.error is not None:
        raise RowError(row.error)
    known = task.known(row)
    return "".join(known) if known else task.prompt(row).text


def texts_of_rows(rows: Iterable[Row], task: Task) -> tuple[list[Text], list[str]]:
    """(texts, why each of the other rows gives none)."""
    found, refused = [], []
    for row in rows:
        try:
            text = row_text(row, task)
        except RowError as error:
            refused.append(f"row {row.ordinal + 1}: {error}")
            continue
        found.append(Text(row.id, modality_of(text), text))
    if not found:
        raise InputError(f"none of {len(refused)} rows can be used{': ' + refused[0] if refused else ''}")
    return found, refused


def own_texts(
    engine: Engine, modality: str, count: int, max_tokens: int, seed: int, before: Mapping[str, Sequence[Text]]
) -> list[Text]:
    """`count` sequences of one modality of `OWN`, at temperature 1 with a fixed seed; none if the model does not know it.

    Those that go on from others' texts take them from `before`. What was given to the model is not counted again.
    """
    sampling = Sampling(temperature=1.0, top_k=0, top_p=1.0, max_tokens=max_tokens, seed=seed)
    first = 1_000_000 * (OWN.index(modality) + 1)  # sets the seeds of one modality apart from another's
    if modality in _STARTS:
        start, end = _STARTS[modality]
        if not knows(engine, start, end, *(_MATERIAL_MARKERS if modality == "material" else ())):
            return []
        return _named(modality, [start] * count, draw(engine, [start] * count, sampling, (end,), first))
    source, markers, bridge, stops = _CONTINUED[modality]
    if not knows(engine, *markers):
        return []
    end = _STARTS[source][1]
    prompts = [
        text.text + bridge for text in before.get(source, ()) if text.text.endswith(end) and "<PocketS>" not in text.text
    ]
    return _named(modality, prompts, draw(engine, prompts, sampling, stops, first))


def knows(engine: Engine, *markers: str) -> bool:
    try:
        for marker in markers:
            engine.marker(marker)
    except TokenizerError:
        return False
    return True


def draw(engine: Engine, prompts: Sequence[str], sampling: Sampling, stops: tuple[str, ...], first: int) -> list[str]:
    """One answer for each prompt, in their order, equal prompts answered together. A prompt that fills the context gets an
    empty one."""
    places: dict[str, list[int]] = {}
    for place, prompt in enumerate(prompts):
        places.setdefault(prompt, []).append(place)
    requests, wanted = [], {}
    for number, (prompt, where) in enumerate(places.items()):
        tokens = engine.encode(prompt)
        if len(tokens) < engine.info.context:
            requests.append(Request(first + number, tokens, range(len(where))))
            wanted[first + number] = where
    found = [""] * len(prompts)
    for answer in engine.generate(requests, sampling, stops):
        if answer is not None:
            found[wanted[answer.row][answer.sample]] = answer.text
    return found


def _named(modality: str, prompts: Sequence[str], answers: Sequence[str]) -> list[Text]:
    pairs = ((prompt, answer) for prompt, answer in zip(prompts, answers, strict=True) if answer)
    return [Text(f"{modality}-{i + 1}", modality, prompt + answer, len(prompt)) for i, (prompt, answer) in enumerate(pairs)]
