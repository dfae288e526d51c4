"""A question to /completions, and what its choices say: text up to the stop, tokens, log-probability.

Fields beyond OpenAI's are those of vLLM (docs.vllm.ai, OpenAI-compatible server), which others took over, and of llama-server
(llama.cpp, tools/server/README.md).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from logos_cli.engines.sampling import Sampling
from logos_cli.errors import EngineError


@dataclass(frozen=True)
class Asking:
    """What is the same in all questions to a server: `kind` is what it calls itself. `whole` are markers that it shall write
    out, `window` the tokens that a repetition penalty looks back on: all of them."""

    model: str
    kind: str
    whole: Sequence[str]
    window: int

    def question(
        self, prompt: str, sampling: Sampling, count: int, seed: int, stops: Sequence[str], more: bool = True
    ) -> dict[str, Any]:
        """The body that asks for `count` answers. `stops` are left to the server; `more` settings than OpenAI's are sent."""
        return {
            "model": self.model, "prompt": prompt, "n": count, "seed": seed, "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature, "top_p": sampling.top_p, "logprobs": 1, "stream": False,
            **({"stop": list(stops)} if stops else {}), **(self._more(sampling) if more else {}),
        }  # fmt: skip

    def _more(self, sampling: Sampling) -> dict[str, Any]:
        """Settings in the server's own words. The order that vLLM has is that of this tool: penalty, temperature, top_k,
        top_p; llama-server's own is another, with min_p 0.05 and a penalty over 64 tokens."""
        penalty = sampling.repetition_penalty
        if self.kind == "llamacpp":
            return {
                "top_k": sampling.top_k, "min_p": 0.0, "repeat_penalty": penalty, "repeat_last_n": self.window,
                "samplers": ["penalties", "temperature", "top_k", "top_p"], "preserved_tokens": list(self.whole),
            }  # fmt: skip
        found = {"top_k": sampling.top_k or -1, "repetition_penalty": penalty}
        if self.kind == "vllm":
            found |= {"skip_special_tokens": False, "spaces_between_special_tokens": False}
        return found


def seed_of(seed: int, row: int, first: int) -> int:
    """That of a request, from what decides an answer: the run's seed, the row, the number of its first sample."""
    digest = hashlib.sha256(f"{seed} {row} {first}".encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1  # servers take 31 bits


@dataclass(frozen=True)
class Token:
    text: str
    logprob: float | None
    id: int | None = None


@dataclass(frozen=True)
class Choice:
    """`tokens` None: the server did not tell them. `finish` is stop or length; `ended_by` the stop that the server names."""

    index: int
    text: str
    finish: str
    tokens: tuple[Token, ...] | None
    ended_by: str | None
    says_stops: bool

    def up_to(self, stops: Sequence[str]) -> Choice:
        """The choice cut behind the first of `stops`, which is part of an answer here."""
        text = self.text
        if self.ended_by is not None and self.ended_by in stops and not text.endswith(self.ended_by):
            text += self.ended_by
        found = [(place + len(stop), stop) for stop in stops if (place := text.find(stop)) >= 0]
        if not found:
            return self
        length = min(found)[0]
        return Choice(self.index, text[:length], "stop", _first(self.tokens, length), None, self.says_stops)

    @property
    def logprob(self) -> float | None:
        """The sum over `tokens`; None if one is not told."""
        values = [one.logprob for one in self.tokens] if self.tokens is not None else [None]
        return None if None in values else math.fsum(value for value in values if value is not None)


def _first(tokens: tuple[Token, ...] | None, length: int) -> tuple[Token, ...] | None:
    """The tokens that `length` characters of text take; None if they do not end there."""
    if tokens is None:
        return None
    reached = 0
    for count, one in enumerate(tokens, 1):
        reached += len(one.text)
        if reached >= length:
            return tokens[:count] if reached == length else None
    return None


def choices_of(answer: dict[str, Any], count: int, where: str) -> list[Choice]:
    """The `count` choices of an answer, by index. Raises EngineError for one that is none."""
    listed = answer.get("choices")
    found = [_choice(one, i) for i, one in enumerate(listed)] if isinstance(listed, list) else []
    if sorted(one.index for one in found if one) != list(range(count)):
        raise EngineError(f"{where}: {len(found)} choices came for {count} asked for; is this an OpenAI-compatible server?")
    return sorted((one for one in found if one), key=lambda one: one.index)


def _choice(one: Any, place: int) -> Choice | None:
    if not isinstance(one, dict) or not isinstance(one.get("text"), str):
        return None
    index, reason = one.get("index", place), one.get("stop_reason")
    return Choice(
        index if isinstance(index, int) else -1, one["text"], "length" if one.get("finish_reason") == "length" else "stop",
        _tokens(one.get("logprobs")), reason if isinstance(reason, str) else None, "stop_reason" in one,
    )  # fmt: skip


def _tokens(logprobs: Any) -> tuple[Token, ...] | None:
    """Of OpenAI's two lists, or of llama-server's one."""
    if not isinstance(logprobs, dict):
        return None
    if isinstance(listed := logprobs.get("content"), list):
        if not all(isinstance(one, dict) and isinstance(one.get("token"), str) for one in listed):
            return None
        return tuple(Token(one["token"], _number(one.get("logprob")), one.get("id")) for one in listed)
    texts, values = logprobs.get("tokens"), logprobs.get("token_logprobs")
    if not isinstance(texts, list) or not isinstance(values, list) or len(texts) != len(values):
        return None
    return tuple(Token(str(text), _number(value)) for text, value in zip(texts, values, strict=True))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
