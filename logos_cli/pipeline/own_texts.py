"""Texts to compare models on: the user's rows as grammar text, or samples that the baseline writes itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from logos_cli.chemistry.grammar import RowError
from logos_cli.engines.engine import Engine, Request
from logos_cli.engines.sampling import Sampling
from logos_cli.errors import InputError, TokenizerError
from logos_cli.pipeline.sequences import grammar_text
from logos_cli.rows.row import Row
from logos_cli.tasks.modalities import MODALITIES, modality_of
from logos_cli.tasks.task import Task

OWN = tuple(MODALITIES)


@dataclass(frozen=True)
class NamedText:
    """One sequence to read; `id` names it in results, `modality` groups it. Its first `given` characters were a prompt:
    they are read, and not counted."""

    id: str
    modality: str
    text: str
    given: int = 0


def texts_of_rows(rows: Iterable[Row], task: Task) -> tuple[list[NamedText], list[str]]:
    """Turns rows into texts, whole where their answer is known, else of their prompt; and says why the others give none."""
    texts, refused = [], []
    for row in rows:
        try:
            text = grammar_text(row, task, answer=False).whole
        except RowError as error:
            refused.append(f"row {row.ordinal + 1}: {error}")
            continue
        texts.append(NamedText(row.id, modality_of(text), text))
    if not texts:
        raise InputError(f"none of {len(refused)} rows can be used{': ' + refused[0] if refused else ''}")
    return texts, refused


def own_texts(
    engine: Engine, modality: str, count: int, max_tokens: int, seed: int, before: Mapping[str, Sequence[NamedText]]
) -> list[NamedText]:
    """Draws `count` sequences of one modality of `OWN`, at temperature 1 with a fixed seed; none if the model does not know it.

    Those that go on from others' texts take them from `before`. What was given to the model is not counted again.
    """
    sampling = Sampling(temperature=1.0, top_k=0, top_p=1.0, max_tokens=max_tokens, seed=seed)
    first = 1_000_000 * (OWN.index(modality) + 1)  # sets the seeds of one modality apart from another's
    about = MODALITIES[modality]
    if not knows(engine, *about.needs):
        return []
    prompts = [about.start] * count
    if about.after:
        (end,) = MODALITIES[about.after].stops
        earlier = (text.text for text in before.get(about.after, ()))
        prompts = [text + about.start for text in earlier if text.endswith(end) and "<PocketS>" not in text]
    answers = draw(engine, prompts, sampling, about.stops, first)
    pairs = ((prompt, answer) for prompt, answer in zip(prompts, answers, strict=True) if answer)
    return [NamedText(f"{modality}-{i}", modality, prompt + answer, len(prompt)) for i, (prompt, answer) in enumerate(pairs, 1)]


def knows(engine: Engine, *markers: str) -> bool:
    """Whether a model has all of these markers."""
    try:
        for marker in markers:
            engine.marker(marker)
    except TokenizerError:
        return False
    return True


def draw(engine: Engine, prompts: Sequence[str], sampling: Sampling, stops: tuple[str, ...], first: int) -> list[str]:
    """Draws one answer for each prompt, in their order, equal prompts answered together. A prompt that fills the context gets
    an empty one."""
    places: dict[str, list[int]] = {}
    for place, prompt in enumerate(prompts):
        places.setdefault(prompt, []).append(place)
    requests, wanted = [], {}
    for number, (prompt, where) in enumerate(places.items()):
        tokens = engine.encode(prompt)
        if len(tokens) < engine.info.context:
            requests.append(Request(first + number, tokens, range(len(where))))
            wanted[first + number] = where
    texts = [""] * len(prompts)
    for answer in engine.generate(requests, sampling, stops):
        if answer is not None:
            texts[wanted[answer.row][answer.sample]] = answer.text
    return texts
