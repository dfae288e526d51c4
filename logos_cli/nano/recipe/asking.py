"""Prompts to the engine, answers back: the evaluation asks as users' runs do, without a task in between."""

from __future__ import annotations

from collections.abc import Sequence

from logos_cli.engines.engine import Engine, Generation, Request
from logos_cli.engines.sampling import Sampling, resolve


def sampling_for(engine: Engine, task: str, max_tokens: int, temperature: float | None = None) -> Sampling:
    """The model file's own settings for `task`; without any, temperature 1 and nothing cut off."""
    flags = {"max_tokens": max_tokens, "temperature": temperature}
    return resolve(task, Sampling(top_k=0), "evaluate", engine.info.sampling, flags).settings


def ask(
    engine: Engine, prompts: Sequence[str], samples: int, sampling: Sampling, stops: Sequence[str] = ()
) -> list[list[Generation]]:
    """The answers of each prompt in the order of their sample numbers; none for a prompt longer than the context."""
    encoded = [engine.encode(prompt) for prompt in prompts]
    requests = [Request(i, tokens, range(samples)) for i, tokens in enumerate(encoded) if len(tokens) < engine.info.context]
    found: list[list[Generation]] = [[] for _ in prompts]
    for generation in engine.generate(requests, sampling, stops):
        if generation is not None:
            found[generation.row].append(generation)
    return [sorted(answers, key=lambda answer: answer.sample) for answers in found]
