"""Requests on their way to the slots: in their order, but one too long for the open context waits for others like it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from enum import Enum

from logos_cli.engines.engine import Request
from logos_cli.engines.sampling import Sampling

# Samples of a request that are answered as one tree: more share little more, and their records, which leave in order, wait.
SHEAF = 128
# A context for long rows has fewer streams, so such rows are collected: until they are this many, or so many shorter ones
# have gone before them, whose records wait.
LATE, PASSED = 32, 256


class _End(Enum):
    END = "no more requests"


class Requests:
    """`requests` may give None where none is there at the moment; those without settings of their own get `sampling` and
    `beam`."""

    def __init__(self, requests: Iterable[Request | None], sampling: Sampling, beam: int = 0) -> None:
        self.rest = (replace(one, beam=beam) if beam and one else one for one in requests)
        self.sampling = sampling
        self.first: deque[Request] = deque()  # looked at, and next
        self.late: deque[Request] = deque()  # too long for the open context, next when it is closed
        self.passed = 0

    def look(self) -> Request | None:
        """The request to open a context for; None where none is there at the moment. Raises StopIteration at the end."""
        self.first, self.late, self.passed = deque((*self.late, *self.first)), deque(), 0
        if not self.first:
            request = next(self.rest)
            if request is None:
                return None
            self.first.append(request)
        return self.first[0]

    def longest(self) -> tuple[int, int]:
        """Tokens of the longest prompt among those looked at, and of the longest answer that any request may ask for."""
        most = [request.sampling.max_tokens for request in self.first if request.sampling]
        return max(len(request.tokens) for request in self.first), max([self.sampling.max_tokens, *most])

    def fitting(
        self, fits: Callable[[Request], bool], better: Callable[[Request], bool], idle: Callable[[], bool]
    ) -> Iterator[Request | None]:
        """Requests for the open context, in sheaves of samples, until another context is needed or would be `better`. None
        where none is there at the moment; `idle` says whether nothing else is being done either."""
        while len(self.late) < LATE and self.passed < PASSED:
            looked_at = bool(self.first)
            request = self.first.popleft() if looked_at else next(self.rest, _End.END)
            if request is _End.END:
                return
            if request is None:
                yield None
                if self.late and idle():
                    return
            elif not fits(request):
                self.late.append(request)
            elif not looked_at and better(request):
                self.first.appendleft(request)
                return
            else:
                self.passed += bool(self.late)
                for start in range(0, len(request.samples), SHEAF):
                    yield replace(request, samples=request.samples[start : start + SHEAF])
