"""Completions as they are written: texts up to their stops, tokens with log-probabilities, and the pieces of a stream."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from logos_cli.engines.engine import NO_NUMBERS, NOT_NUMBERS, Generation, Request
from logos_cli.errors import EngineError
from logos_cli.serving.completion_call import CompletionCall
from logos_cli.serving.session import Session

_HALF = "\ufffd"  # what a character is decoded to whose other bytes are still to come
Decode = Callable[[Sequence[int]], str]


class Stops:
    """The first of some texts in what tokens say. `decode` gives the text of tokens."""

    def __init__(self, texts: Sequence[str], decode: Decode) -> None:
        self.texts, self.decode = texts, decode
        self.longest = max((len(one.encode()) for one in texts), default=0)

    def among_last(self, tokens: Sequence[int]) -> bool:
        """Whether the last token completes one of the texts: a token has one byte at least."""
        return bool(self.texts) and any(one in self.decode(tokens[-self.longest :]) for one in self.texts)

    def cut(self, text: str) -> str:
        """What stands before the first of them."""
        return text[: min((at for one in self.texts if (at := text.find(one)) >= 0), default=len(text))]

    def sure(self, text: str) -> int:
        """How many characters of an unfinished text will stay: those behind may be the beginning of a stop, or of a
        character."""
        length = len(text.rstrip(_HALF))
        for one in self.texts:
            for size in range(min(len(one) - 1, length), 0, -1):
                if text[:length].endswith(one[:size]):
                    length -= size
                    break
        return length


@dataclass
class Answer:
    """What was drawn for one answer: tokens, their log-probabilities, those of the likeliest in their places."""

    tokens: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    likeliest: list[Sequence[tuple[int, float]]] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)  # characters before each token, as far as they were asked for

    def logprobs(self, start: int, stop: int, decode: Decode, tops: bool, ended: bool = False) -> dict[str, Any]:
        """Of the tokens whose text begins at characters `start` to `stop`, as OpenAI lists them; the end token has no text, and
        is listed where it `ended` the answer."""
        for place in range(len(self.offsets), len(self.tokens)):
            self.offsets.append(len(decode(self.tokens[:place])))
        places = range(bisect_left(self.offsets, start), bisect_left(self.offsets, stop))
        told = [place for place in places if decode([self.tokens[place]])]
        if ended and self.tokens and not decode(self.tokens[-1:]):
            told.append(len(self.tokens) - 1)
        return {
            "tokens": [decode([self.tokens[place]]) for place in told],
            "token_logprobs": [self.values[place] for place in told],
            "top_logprobs": [named(self.likeliest[place], decode) for place in told] if tops else None,
            "text_offset": [self.offsets[place] for place in told],
        }


def named(likeliest: Sequence[tuple[int, float]], decode: Decode) -> dict[str, float]:
    return {text: value for token, value in likeliest if (text := decode([token]))}


class Writing:
    """A `Follower` of all answers of a call, and what is told of each."""

    def __init__(self, call: CompletionCall, session: Session, hear: Callable[[Piece], None] | None = None) -> None:
        """`hear` gets the pieces of a stream, in the engine's thread."""
        self.call, self.session, self.hear = call, session, hear
        self.decode = session.engine.decode
        self.stops = Stops(call.stops, self.decode)
        self.likeliest = call.logprobs or 0
        self.answers: dict[tuple[int, int], Answer] = {}
        if call.logprobs is not None or hear:
            session.client.follower = self
        elif call.stops:
            session.client.follower = _Ending(self.stops)

    def drawn(self, row: int, sample: int, token: int, logprob: float, likeliest: Sequence[tuple[int, float]]) -> None:
        answer = self.answers.setdefault((row, sample), Answer())
        answer.values.append(logprob)
        answer.likeliest.append(likeliest)
        answer.tokens.append(token)
        if self.hear:
            self.hear(Piece(row, sample, len(answer.tokens)))

    def ended(self, tokens: Sequence[int]) -> bool:
        return self.stops.among_last(tokens)

    def generations(self) -> Iterator[Generation]:
        """Answers as they end. Raises EngineError for logits that are no numbers."""
        call = self.call
        requests = [Request(row, tokens, range(call.samples)) for row, tokens in enumerate(call.prompts)]
        for found in self.session.generate(requests, call.sampling, ()):
            if found is not None:
                if found.finish == NO_NUMBERS:
                    raise EngineError(NOT_NUMBERS)
                yield found

    def choice(self, found: Generation, start: int = 0) -> dict[str, Any]:
        """One of a completion's `choices`, from character `start` on; it is told once."""
        answer = self.answers.pop((found.row, found.sample), Answer())
        text = self.stops.cut(found.text)
        ended = found.finish == "stop" and text == found.text
        return self.told(found.row, found.sample, text, answer, start, found.finish, ended)

    def told(
        self, row: int, sample: int, text: str, answer: Answer, start: int, finish: str | None, ended: bool = False
    ) -> dict[str, Any]:  # fmt: skip
        asked = self.call.logprobs
        return {
            "index": row * self.call.samples + sample,
            "text": text[start:],
            "logprobs": None if asked is None else answer.logprobs(start, len(text), self.decode, asked > 0, ended),
            "finish_reason": finish,
        }


class _Ending:
    """A follower that only ends answers."""

    likeliest = 0

    def __init__(self, stops: Stops) -> None:
        self.ended = stops.among_last

    def drawn(self, row: int, sample: int, token: int, logprob: float, likeliest: Sequence[tuple[int, float]]) -> None:
        """Nobody asked."""


@dataclass(frozen=True)
class Piece:
    """A sample of a row has so many `tokens` now; all, if it `ended`."""

    row: int
    sample: int
    tokens: int
    ended: Generation | None = None


class Streaming:
    """The choices of a stream: of each answer what is new and sure to stay."""

    def __init__(self, writing: Writing) -> None:
        self.writing = writing
        self.sent: dict[tuple[int, int], int] = {}

    def choices(self, pieces: Sequence[Piece]) -> Iterator[dict[str, Any]]:
        """Of pieces in their order, one for each answer that has something new."""
        writing = self.writing
        for key, piece in {(piece.row, piece.sample): piece for piece in pieces}.items():
            start = self.sent.get(key, 0)
            if piece.ended:
                self.sent.pop(key, None)
                yield writing.choice(piece.ended, start)
                continue
            answer = writing.answers[key]
            text = writing.stops.cut(writing.decode(answer.tokens[: piece.tokens]))
            sure = writing.stops.sure(text)
            if sure > start:
                self.sent[key] = sure
                yield writing.told(*key, text[:sure], answer, start, None)
