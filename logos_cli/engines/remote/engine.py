"""A model behind an OpenAI-compatible completions endpoint: vLLM, llama-server and others.

The server has the tokenizer, so a text is not cut into tokens here: `encode` gives one number that holds all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Never

from logos_cli.chemistry.grammar import MARKERS
from logos_cli.engines.engine import EngineInfo, EngineSettings, Generation, Request, Work
from logos_cli.engines.remote.address import Address
from logos_cli.engines.remote.client import Client, Refused
from logos_cli.engines.remote.completions import Asking, Choice, choices_of, seed_of
from logos_cli.engines.remote.server import UNKNOWN_CONTEXT, asked_server
from logos_cli.engines.remote.workers import Workers
from logos_cli.engines.sampling import Sampling
from logos_cli.errors import EngineError, TokenizerError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

TOGETHER = 8  # answers that one question asks for; fixed, as the seed is that of the question
BATCH = 32  # answers asked for at once
WINDOW = 1 << 17  # most tokens that a repetition penalty looks back on
_POLL = 0.05  # seconds that a None among the requests waits for an answer
_START = b"\x01"  # so that no byte of a text is lost in front of a number


class RemoteEngine:
    """See `logos_cli.engines.engine.Engine`. Opening raises UsageError for the address, EngineError for the server."""

    def __init__(self, address: str, settings: EngineSettings, client: Client | None = None) -> None:
        self.settings, self.work = settings, Work()
        self.address = Address.parse(address)
        self.client = client or Client(self.address)
        self.server = server = asked_server(self.client)
        self.together, self.more = TOGETHER, True
        self.says_stops = server.kind == "vllm"
        self._whole = dict.fromkeys(MARKERS)
        self._tokenizes = True
        self.info = EngineInfo(
            name=PurePosixPath(server.model).name.removesuffix(".gguf"), fingerprint=server.fingerprint(self.address.base),
            scheme="unknown", context=server.context, device=f"{server.name} at {self.address.host}", threads=0,
            kv_type="unknown", build=server.name,
        )  # fmt: skip

    # Tokens

    def encode(self, text: str) -> tuple[int, ...]:
        """One number that holds the text; none for an empty one."""
        return (int.from_bytes(_START + text.encode(), "big"),) if text else ()

    def marker(self, name: str) -> int:
        """Its id at the server, -1 where the server does not tell. Raises TokenizerError if it is not one token there."""
        self._whole[name] = None
        found = self._tokens(name, special=False)
        if found is not None and len(found) != 1:
            raise TokenizerError(
                f"{self.address.base}: marker {name} is {len(found)} tokens in {self.server.model}, not one; it does not speak "
                "this task's grammar"
            )
        return found[0] if found else -1

    def _tokens(self, text: str, special: bool) -> list[int] | None:
        """The server's tokens of a text, `special`: with those that begin a prompt. None if it does not tell."""
        if not self._tokenizes:
            return None
        body = {
            "model": self.server.model, "prompt": text, "add_special_tokens": special,  # vLLM
            "content": text, "add_special": special, "parse_special": True,  # llama-server
        }  # fmt: skip
        try:
            found = self.client.insist(f"{self.address.root}/tokenize", body).get("tokens")
        except (Refused, EngineError):
            found = None
        self._tokenizes = isinstance(found, list)
        return found if isinstance(found, list) else None

    @property
    def end(self) -> int:
        return self._refuse("name its end token")

    def token_texts(self) -> list[str]:
        return self._refuse("list its vocabulary")

    # Answers

    def generate(
        self, requests: Iterable[Request | None], sampling: Sampling, stops: Sequence[str] | None, single: bool = False,
        beam: int = 0,
    ) -> Iterator[Generation | None]:  # fmt: skip
        if beam:
            self._refuse("search with a beam")
        source, more = iter(requests), True
        workers: Workers[list[Generation]] = Workers(max(1, (self.settings.batch or BATCH) // self.together))
        try:
            while more or workers.busy:
                patience = 0.5
                if more and not workers.full:
                    patience = 0.0
                    request = next(source, False)
                    if request is None:
                        yield None
                        patience = _POLL
                    elif isinstance(request, Request):
                        for block in blocks(request):
                            workers.give(partial(self._answers, block, sampling, tuple(stops or ())))
                    else:
                        more = False
                for several in workers.results(patience):
                    self.work.steps += 1
                    self.work.tokens += sum(len(one.tokens) for one in several)
                    yield from several
        finally:
            workers.close()

    def _answers(self, request: Request, sampling: Sampling, stops: tuple[str, ...]) -> list[Generation]:
        """One block of samples. The server is asked for all of the block up to the last that is wanted: the same question
        whichever of them an earlier run has."""
        prompt = text_of(request.tokens)
        first = request.samples[0] // TOGETHER * TOGETHER
        count = request.samples[-1] - first + 1
        seed = seed_of(sampling.seed, request.row, first)
        try:
            found = self._asked(prompt, sampling, count, seed, stops)
        except Refused as error:
            refused = Generation(request.row, 0, "", (), 0.0, "error", request.asker, error.said)
            return [replace(refused, sample=sample) for sample in request.samples]
        wanted = set(request.samples)
        return [self._generation(request, first + i, one) for i, one in enumerate(found) if first + i in wanted]

    def _asked(self, prompt: str, sampling: Sampling, count: int, seed: int, stops: tuple[str, ...]) -> list[Choice]:
        """`count` choices; one by one, with the seeds that servers derive, where the server does not take so many."""
        url, context, server = f"{self.address.base}/completions", self.server.context, self.server
        asking = Asking(server.model, server.kind, tuple(dict.fromkeys((*self._whole, *stops))), min(context, WINDOW))
        # A server that does not say which stop it met cannot be left to stop: its text would lack the marker or have ended
        # without one, which are an answer and a failed one.
        left = stops if self.says_stops else ()
        if count > self.together:
            return [self._asked(prompt, sampling, 1, seed + i, stops)[0] for i in range(count)]
        try:
            answer = self.client.insist(url, asking.question(prompt, sampling, count, seed, left, self.more))
        except Refused as error:
            if error.status not in (400, 422):
                raise EngineError(f"{url}: {error.status}, {error.said}") from None
            if count > 1:
                self.together = 1
                return self._asked(prompt, sampling, count, seed, stops)
            if context < UNKNOWN_CONTEXT and (ids := self._tokens(prompt, special=True)) is not None:
                room = context - len(ids)
                if 0 < room < sampling.max_tokens:  # vLLM refuses what could grow past the context
                    return self._asked(prompt, replace(sampling, max_tokens=room), 1, seed, stops)
            if self.more and not server.known and self._only_openai(asking, prompt, sampling, seed, left):
                return self._asked(prompt, sampling, 1, seed, stops)
            raise
        found = choices_of(answer, count, url)
        self.says_stops = all(one.says_stops for one in found)
        return [one.up_to(stops) for one in found]

    def _only_openai(self, asking: Asking, prompt: str, sampling: Sampling, seed: int, left: Sequence[str]) -> bool:
        """Whether the server takes a question without the settings that OpenAI has not; from now on it is asked so."""
        try:
            body = asking.question(prompt, replace(sampling, max_tokens=1), 1, seed, left, more=False)
            self.client.insist(f"{self.address.base}/completions", body)
        except Refused:
            return False
        if self.more:
            self.more = False
            self.settings.note(f"{self.address.host} takes no top_k and no repetition penalty; it is asked without them")
        return True

    def _generation(self, request: Request, sample: int, one: Choice) -> Generation:
        tokens = tuple([-1 if token.id is None else token.id for token in one.tokens or ()])
        logprob = one.logprob if self.server.known else None
        told = {"tokens": one.tokens, "logprob": logprob}
        unknown = frozenset(name for name, value in told.items() if value is None)
        return Generation(request.row, sample, one.text, tokens, logprob or 0.0, one.finish, request.asker, unknown=unknown)

    # What only a model file can do

    def _refuse(self, what: str) -> Never:
        raise EngineError(f"{self.address.base}: a server does not {what}; give the model file with -m")

    def score(self, prompt: Sequence[int], continuation: Sequence[int]) -> Floats:
        return self._refuse("score given texts")

    def score_many(self, pairs: Iterable[Any]) -> Iterator[Floats | None]:
        return self._refuse("score given texts")

    def logits(self, tokens: Sequence[int]) -> Floats:
        return self._refuse("give logits")

    def logits_pieces(self, tokens: Sequence[int]) -> Iterator[Floats]:
        return self._refuse("give logits")

    def release(self) -> None:
        """Nothing is kept between calls."""

    def close(self) -> None:
        """Each question has a connection of its own."""


def blocks(request: Request) -> Iterator[Request]:
    """A request's samples by the question that they belong to."""
    several: dict[int, list[int]] = {}
    for sample in request.samples:
        several.setdefault(sample // TOGETHER, []).append(sample)
    return (replace(request, samples=sorted(samples)) for samples in several.values())


def text_of(tokens: tuple[int, ...]) -> str:
    """The text that `encode` made a number of."""
    (number,) = tokens
    return number.to_bytes((number.bit_length() + 7) // 8, "big")[len(_START) :].decode()
