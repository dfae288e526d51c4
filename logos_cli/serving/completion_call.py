"""A request for completions, as OpenAI's clients send it: what it asks for, and what of it this server does not do."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from logos_cli.engines.sampling import Sampling
from logos_cli.errors import ForeignText, UsageError
from logos_cli.serving.api_error import ApiError
from logos_cli.serving.limits import CHARACTERS, SAMPLES, Limits
from logos_cli.serving.request_body import checked, json_object, kind_of
from logos_cli.serving.shared_engine import SharedEngine

STOPS, STOP_LENGTH, LIKELIEST = 4, 64, 5  # of texts that end an answer, of characters of one, of tokens beside each: OpenAI's
TOLD = 200_000  # tokens of which each is told
MAX_TOKENS = 16  # unless asked for, as OpenAI has it
# What OpenAI's clients may send that changes nothing here, and what only these values may be said of.
_IGNORED = ("user", "metadata", "store", "service_tier")
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "echo": (False,), "suffix": ("",), "presence_penalty": (0,), "frequency_penalty": (0,), "logit_bias": ({},),
}  # fmt: skip
_KNOWN = (
    "model", "prompt", "n", "best_of", "seed", "stop", "logprobs", "max_tokens", "temperature", "top_p", "top_k",
    "repetition_penalty", "stream", "stream_options", *_IGNORED, *_NEUTRAL,
)  # fmt: skip


@dataclass(frozen=True)
class CompletionCall:
    """`prompts` in tokens; an answer ends at the first text of `stops`, which is not part of it. `logprobs` None: none are
    told, else how many of the likeliest tokens stand beside each."""

    prompts: list[tuple[int, ...]]
    samples: int
    sampling: Sampling
    stops: tuple[str, ...]
    logprobs: int | None
    stream: bool
    usage: bool  # at the end of a stream

    @property
    def answers(self) -> int:
        return len(self.prompts) * self.samples

    @classmethod
    def of(cls, body: bytes, shared: SharedEngine, limits: Limits) -> CompletionCall:
        """Raises ApiError for what is wrong, unknown, or over a limit."""
        given = json_object(body)
        refuse_unknown(given, shared)
        samples = checked(given, "n", "a whole number")
        samples = 1 if samples is None else samples
        if not 1 <= samples <= SAMPLES:
            raise ApiError(400, f"n is {samples}; it takes 1 to {SAMPLES}", "n")
        if checked(given, "best_of", "a whole number") not in (None, samples):
            raise ApiError(400, "best_of is not done; ask for n and take the likeliest by logprobs", "best_of")
        likeliest = checked(given, "logprobs", "a whole number")
        if likeliest is not None and not 0 <= likeliest <= LIKELIEST:
            raise ApiError(400, f"logprobs is {likeliest}; it takes 0 to {LIKELIEST}", "logprobs")
        options = checked(given, "stream_options", "an object") or {}
        found = cls(
            prompts_of(given, shared, limits), samples, sampling_of(given, limits), stops_of(given.get("stop")), likeliest,
            bool(checked(given, "stream", "true or false")), bool(checked(options, "include_usage", "true or false")),
        )  # fmt: skip
        if found.answers > limits.answers:
            raise ApiError(400, f"{found.answers:,} answers; at most {limits.answers:,} are given", "n")
        tokens = found.answers * found.sampling.max_tokens
        if (found.stream or likeliest is not None) and tokens > TOLD:
            told = "tokens that are told one by one (stream, logprobs)"
            raise ApiError(400, f"up to {tokens:,} {told}; at most {TOLD:,} are", "max_tokens")
        return found


def refuse_unknown(given: Mapping[str, Any], shared: SharedEngine) -> None:
    for name, value in given.items():
        if name not in _KNOWN:
            raise ApiError(400, f"no option {name[:80]!r}; there are: {', '.join(_KNOWN)}", name[:80])
        if (
            name in _NEUTRAL
            and value is not None
            and (isinstance(value, bool), value) not in [(isinstance(one, bool), one) for one in _NEUTRAL[name]]
        ):
            raise ApiError(400, f"{name} is not done by this server; leave it out", name)
    model = checked(given, "model", "a text")
    if model not in (None, shared.info.name, shared.info.model):
        raise ApiError(404, f"no model {model[:80]!r}; this server has {shared.info.name}", "model")


def sampling_of(given: Mapping[str, Any], limits: Limits) -> Sampling:
    """Settings not given are OpenAI's: temperature 1 and nothing cut off, 16 tokens, another seed each time."""
    most = checked(given, "max_tokens", "a whole number")
    most = MAX_TOKENS if most is None else most
    if not 1 <= most <= limits.tokens:
        raise ApiError(400, f"max_tokens is {most}; it takes 1 to {limits.tokens:,}", "max_tokens")
    values = {
        "temperature": checked(given, "temperature", "a number"),
        "top_k": checked(given, "top_k", "a whole number"),
        "top_p": checked(given, "top_p", "a number"),
        "repetition_penalty": checked(given, "repetition_penalty", "a number"),
        "seed": checked(given, "seed", "a whole number"),
    }
    if values["seed"] is None:
        values["seed"] = secrets.randbits(63)
    if values["top_k"] == -1:  # vLLM's word for off
        values["top_k"] = 0
    try:
        return Sampling(**{"top_k": 0, "max_tokens": most} | {key: value for key, value in values.items() if value is not None})
    except UsageError as error:
        raise ApiError.of(error) from None


def prompts_of(given: Mapping[str, Any], shared: SharedEngine, limits: Limits) -> list[tuple[int, ...]]:
    prompt = given.get("prompt")
    texts = [prompt] if isinstance(prompt, str) else prompt
    if not isinstance(texts, list) or not texts or not all(isinstance(one, str) for one in texts):
        what = kind_of(prompt) if not isinstance(prompt, list) else "a list of other things" if prompt else "an empty list"
        raise ApiError(400, f"prompt is {what}; it takes a text or a list of texts", "prompt")
    if len(texts) > limits.rows:
        raise ApiError(400, f"{len(texts):,} prompts; at most {limits.rows:,} are taken", "prompt")
    context = shared.info.context
    found = []
    for place, text in enumerate(texts, 1):
        try:
            tokens = shared.engine.encode(text) if len(text) <= CHARACTERS * context else ()
        except ForeignText as error:
            raise ApiError(400, f"prompt {place}: {error}", "prompt") from None
        if not tokens and len(text) <= CHARACTERS * context:
            raise ApiError(400, f"prompt {place} is empty, and this model has no token to begin with", "prompt")
        if not 0 < len(tokens) < context:
            told = f"{len(tokens):,} tokens" if tokens else f"{len(text):,} characters"
            raise ApiError(400, f"prompt {place} is of {told}; the model's context is {context:,} tokens", "prompt")
        found.append(tokens)
    return found


def stops_of(value: Any) -> tuple[str, ...]:
    found = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(found, list) or not all(isinstance(one, str) and 0 < len(one) <= STOP_LENGTH for one in found):
        raise ApiError(400, f"stop takes a text or a list of texts, each of 1 to {STOP_LENGTH} characters", "stop")
    if len(found) > STOPS:
        raise ApiError(400, f"{len(found)} stops; at most {STOPS} are taken", "stop")
    return tuple(found)
