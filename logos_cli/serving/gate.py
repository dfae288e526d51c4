"""Who may come in: as many at once as the queue holds, with the key where there is one, and no page of another site."""

from __future__ import annotations

import base64
import hmac
import ipaddress
import math
import re
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from logos_cli.serving.api_error import ApiError

if TYPE_CHECKING:
    from starlette.datastructures import Headers

REMEMBERED = 64  # requests from which is told how long one takes
LONGEST_WAIT = 600  # seconds


class Gate:
    """Requests that are answered or wait; used in the event loop only."""

    def __init__(self, most: int) -> None:
        self.most, self.inside = most, 0
        self.closing = False
        self._took: deque[float] = deque(maxlen=REMEMBERED)

    @contextmanager
    def passing(self) -> Iterator[None]:
        """A place among those inside. Raises ApiError 429 if there is none, with the seconds after which one should be free."""
        if self.inside >= self.most:
            raise ApiError(
                429, f"{self.inside} requests are at work or wait, which is all this server takes; ask again later",
                headers={"Retry-After": str(self.wait())},
            )  # fmt: skip
        self.inside += 1
        began = time.monotonic()
        try:
            yield
        finally:
            self.inside -= 1
            self._took.append(time.monotonic() - began)

    def wait(self) -> int:
        """Seconds until a place should be free: what a request takes, by those that came last, over how many are inside."""
        mean = sum(self._took) / len(self._took) if self._took else 1.0
        return min(max(1, math.ceil(mean / max(1, self.inside))), LONGEST_WAIT)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def check_origin(headers: Headers, local: bool) -> None:
    """Refuse what a web page asks behind its reader's back. A server that is `local` has no key, and its network is no guard
    against the reader's own browser: a page may ask it directly, or under a name of its own that leads to 127.0.0.1.
    Raises ApiError."""
    name = headers.get("host", "")
    host = re.sub(r":\d*$", "", name)
    if local and not is_loopback(host):
        raise ApiError(421, f"asked for as {host[:80]!r}; this server answers as localhost, see --host")
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != name:
        raise ApiError(403, "asked by a page of another site, which this server does not answer")


def check_key(headers: Headers, key: str | None) -> None:
    """Bearer KEY, or Basic with KEY as password: a planner that takes an address only can say http://:KEY@host. Raises
    ApiError."""
    if key is None:
        return
    scheme, _, text = headers.get("authorization", "").partition(" ")
    given = text.encode("latin-1") if scheme.lower() == "bearer" else b""
    if scheme.lower() == "basic":
        with suppress(ValueError):
            given = base64.b64decode(text, validate=True).partition(b":")[2]
    if not hmac.compare_digest(given, key.encode()):
        told = "the API key is missing or wrong; send it as Authorization: Bearer KEY"
        raise ApiError(401, told, headers={"WWW-Authenticate": "Bearer"})
