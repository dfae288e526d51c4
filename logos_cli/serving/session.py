"""A shared engine as one of those who ask sees it: an `Engine` like any other, for one piece of work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from logos_cli.engines.engine import EngineInfo, Follower, Generation, Request
from logos_cli.engines.sampling import Sampling
from logos_cli.errors import EngineError, LogosError
from logos_cli.serving.shared_engine import Client, SharedEngine

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# Rows of one client on their way: enough to fill the slots while others ask nothing, few enough to be forgotten at once.
AHEAD = 32
SCORED = 8  # sequences scored between two steps: others wait for them


class Left(Exception):
    """Whoever asked is gone."""


class Session:
    """See `logos_cli.engines.engine.Engine`. `leave` may be called from any thread: whoever waits for answers then gets
    `Left`, and no answer is drawn any more. Texts are those of `single=False`: steps have eight rows at least."""

    def __init__(self, shared: SharedEngine, follower: Follower | None = None) -> None:
        self.shared, self.engine = shared, shared.engine
        self.settings, self.work = shared.engine.settings, shared.engine.work
        self.client = Client()
        self.client.follower = follower

    @property
    def info(self) -> EngineInfo:
        return self.engine.info

    @property
    def end(self) -> int:
        return self.engine.end

    def encode(self, text: str) -> tuple[int, ...]:
        return self.engine.encode(text)

    def marker(self, name: str) -> int:
        return self.engine.marker(name)

    def token_texts(self) -> list[str]:
        return self.engine.token_texts()

    def leave(self) -> None:
        self.shared.leave(self.client)

    def generate(
        self, requests: Iterable[Request | None], sampling: Sampling, stops: Sequence[str] | None, single: bool = False,
        beam: int = 0,
    ) -> Iterator[Generation | None]:  # fmt: skip
        """Raises EngineError for a longer answer than the server has room for, and `Left`."""
        ends = self.engine.stop_tokens(stops)
        if sampling.max_tokens > self.shared.most_tokens:
            raise EngineError(f"answers of {sampling.max_tokens:,} tokens; at most {self.shared.most_tokens:,} are given")
        source, more = iter(requests), True
        going: dict[int, int] = {}  # row -> samples that are still to come
        try:
            while more or going:
                while more and len(going) < AHEAD:
                    request = next(source, _END)
                    if request is _END:
                        more = False
                    elif request is None:
                        yield None
                        break
                    else:
                        going[request.row] = going.get(request.row, 0) + len(request.samples)
                        own = replace(
                            request, sampling=request.sampling or sampling, stops=ends, beam=request.beam or beam,
                            asker=self.client,
                        )  # fmt: skip
                        self.shared.ask(self.client, own)
                if going:
                    for found in self._arrived():
                        going[found.row] -= 1
                        if not going[found.row]:
                            del going[found.row]
                        yield found
        finally:
            if going:
                self.leave()

    def _arrived(self) -> list[Generation]:
        """Answers that have come, at least one. Raises `Left`, and what befell the engine."""
        inbox = self.client.inbox
        found = [inbox.get()]
        while not inbox.empty():
            found.append(inbox.get())
        answers = []
        for one in found:
            if one is None:
                raise Left
            if not isinstance(one, Generation):
                kind = EngineError if isinstance(one, LogosError) else RuntimeError
                raise kind(f"the engine failed, {type(one).__name__}: {one}") from one
            answers.append(one)
        return answers

    def score(self, prompt: Sequence[int], continuation: Sequence[int]) -> npt.NDArray[np.float32]:
        return self.shared.do(lambda: self.engine.score(prompt, continuation))

    def score_many(
        self, pairs: Iterable[tuple[Sequence[int], Sequence[int]] | None]
    ) -> Iterator[npt.NDArray[np.float32] | None]:
        source = iter(pairs)
        while some := list(islice(source, SCORED)):
            yield from self.shared.do(partial(self._scored, some))

    def _scored(self, pairs: list[tuple[Sequence[int], Sequence[int]] | None]) -> list[npt.NDArray[np.float32] | None]:
        return list(self.engine.score_many(pairs))

    def logits(self, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        return self.shared.do(lambda: self.engine.logits(tokens))

    def logits_pieces(self, tokens: Sequence[int]) -> Iterator[npt.NDArray[np.float32]]:
        yield self.logits(tokens)

    def release(self) -> None:
        """What it would free is shared."""

    def close(self) -> None:
        """The engine stays open for others."""


_END = Request(-1, (), ())
