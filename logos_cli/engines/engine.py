"""What runs a model file: the protocol every engine keeps, and the types that go in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from logos_cli.engines.sampling import Sampling

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class EngineSettings:
    """`device` is auto, cpu, cuda or cuda:N. `threads` None: all that this process may use. `batch` is the most rows
    decoded at once, None what suits the device; `note` hears what a user should know, such as fewer slots for lack of
    memory."""

    device: str = "auto"
    threads: int | None = None
    batch: int | None = None
    note: Callable[[str], None] = lambda _: None


@dataclass(frozen=True)
class EngineInfo:
    """What a result must say about where it came from. `rows`: how many a step decodes, where texts depend on it (GPUs)."""

    name: str
    fingerprint: str
    scheme: str
    context: int
    device: str
    threads: int
    kv_type: str
    build: str
    sampling: dict[str, Any] = field(default_factory=dict)
    rows: int | None = None

    @property
    def model(self) -> str:
        return f"{self.name}@{self.fingerprint[:12]}"


class Follower(Protocol):
    """Who looks on while answers are drawn; called in the engine's thread, between steps."""

    likeliest: int  # of the next tokens, which `drawn` hears of

    def drawn(self, row: int, sample: int, token: int, logprob: float, likeliest: Sequence[tuple[int, float]]) -> None:
        """A sample of a row has drawn `token`; its raw log-probability, and those of the likeliest tokens in its place."""
        ...

    def ended(self, tokens: Sequence[int]) -> bool:
        """Whether an answer of these tokens ends here, although the last of them is no stop."""
        ...


@dataclass(eq=False)
class Asker:
    """Who waits for answers, where several share an engine. No longer `wanted`: its slots are free before the next step."""

    wanted: bool = True
    follower: Follower | None = None


@dataclass(frozen=True)
class Request:
    """One prompt and which of its samples are wanted; (`row`, sample number) seeds each.

    `sampling`, `stops` (ids at which an answer ends) and `beam` are this request's own, where not those of the call: what is
    drawn for it is the same whatever its neighbours are drawn with. `asker` comes back with each answer.
    """

    row: int
    tokens: tuple[int, ...]
    samples: Sequence[int]
    sampling: Sampling | None = None
    stops: frozenset[int] | None = None
    beam: int = 0
    asker: Asker | None = field(default=None, compare=False)


NO_NUMBERS = "no numbers"
# What a row's record says of it.
NOT_NUMBERS = "the model's logits are not numbers (NaN or infinity); if many rows say so it is damaged: see logos inspect"


@dataclass(frozen=True)
class Generation:
    """One answer. `logprob` is natural, summed over `tokens` (the stop token included), from raw logits. `finish` is
    `stop`, `length`, or `NO_NUMBERS` where the logits after `tokens` were NaN or infinite: all other answers go on.
    `error` says why a prompt gets no answer at all. `unknown` are those of `tokens` and `logprob` that a server does not tell
    and that mean nothing then."""

    row: int
    sample: int
    text: str
    tokens: tuple[int, ...]
    logprob: float
    finish: str
    asker: Asker | None = field(default=None, compare=False, repr=False)
    error: str | None = None
    unknown: frozenset[str] = frozenset()


@dataclass
class Work:
    """What an engine has done since it was opened. `tokens` of answers were drawn, one for each sample; `rows` were decoded
    for them in `steps` calls, which is less where samples share a beginning, besides `padding` nobody reads."""

    tokens: int = 0
    rows: int = 0
    padding: int = 0
    steps: int = 0
    copies: int = 0
    prompt_tokens: int = 0


class Engine(Protocol):
    """`generate` yields answers as they finish; text and log-probability of one do not depend on its neighbours."""

    settings: EngineSettings
    work: Work

    @property
    def info(self) -> EngineInfo: ...

    @property
    def end(self) -> int:
        """The id of the tokenizer's end-of-text token. Raises TokenizerError if it has none."""
        ...

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of grammar text, BOS first; markers become their own ids."""
        ...

    def marker(self, name: str) -> int:
        """The id of a marker. Raises TokenizerError if it is not exactly one token."""
        ...

    def generate(
        self, requests: Iterable[Request | None], sampling: Sampling, stops: Sequence[str] | None, single: bool = False,
        beam: int = 0,
    ) -> Iterator[Generation | None]:  # fmt: skip
        """Answers as they end. A None among the requests comes back as None at once: a moment for the caller to act, and
        that no request is there yet. With `stops` None only `max_tokens` ends an answer, for measuring. With `beam` nothing
        is drawn: a request's answers are those of a beam search of that width, the likeliest first, as many as its samples.
        A request may have settings of its own."""
        ...

    def score(self, prompt: Sequence[int], continuation: Sequence[int]) -> npt.NDArray[np.float32]:
        """Raw log-probability [len(continuation)] of each token of `continuation` after `prompt`."""
        ...

    def score_many(
        self, pairs: Iterable[tuple[Sequence[int], Sequence[int]] | None]
    ) -> Iterator[npt.NDArray[np.float32] | None]:
        """`score` of each (prompt, continuation), bit for bit, in their order; read together as memory allows, a bounded
        number of pairs ahead. A None comes back as None; where logits are no numbers, neither is the result.
        Raises EngineError for an empty prompt and for more tokens
        than the model's context, after the results before it."""
        ...

    def logits(self, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        """Logits [T, V] after each of `tokens` [T]."""
        ...

    def logits_pieces(self, tokens: Sequence[int]) -> Iterator[npt.NDArray[np.float32]]:
        """The same in pieces [t, V] that follow each other, each valid until the next: memory does not grow with T."""
        ...

    def token_texts(self) -> list[str]:
        """The text [V] of each id as the vocabulary spells it, which is another for each."""
        ...

    def release(self) -> None:
        """Give back what earlier calls left open for later ones, KV caches above all."""
        ...

    def close(self) -> None: ...
