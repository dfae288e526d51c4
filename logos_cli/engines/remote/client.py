"""Questions to a server and its answers as JSON: one attempt, or again with growing pauses while that may help."""

from __future__ import annotations

import http.client
import json
import os
import random
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from logos_cli.engines.remote.address import Address
from logos_cli.errors import EngineError

KEY = "LOGOS_API_KEY"
TIMEOUT = 600.0  # seconds without a byte; a long answer is sent whole at its end
FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds; each pause is twice the one before, up to the longest
ATTEMPTS = 9  # about two minutes of pauses: a server that is restarted comes back within them
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_RESUME = "with -o OUT and --resume the run goes on where it stopped"


class Refused(Exception):
    """The server's answer to a question that it does not take: `status` and what it says."""

    def __init__(self, status: int, said: str, after: float | None = None) -> None:
        super().__init__(said)
        self.status, self.said, self.after = status, said, after


@dataclass
class Client:
    """Of one server; `key` is the bearer's token, if it wants one."""

    address: Address
    key: str = field(default_factory=lambda: os.environ.get(KEY, ""), repr=False)

    def ask(self, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer of one attempt. Raises Refused, OSError and HTTPException, EngineError for one that is no JSON object."""
        headers = {"Accept": "application/json", "User-Agent": "logos-cli"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(url, data, headers)  # an Address is http or https
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                raw = response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, said_in(error), pause_of(error.headers.get("Retry-After"))) from None
        try:
            found = json.loads(raw)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise EngineError(f"{url}: the answer is no JSON object ({raw[:60]!r}); is this an OpenAI-compatible server?")
        return found

    def insist(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        """`ask`, again after a pause while the server is away or busy. Raises Refused for a question that it will never take,
        EngineError when it does not come back."""
        for attempt in range(ATTEMPTS):
            try:
                return self.ask(url, body)
            except Refused as error:
                if error.status in (401, 403):
                    raise EngineError(f"{self.address.host}: {error.status}, {error.said}; put its key into ${KEY}") from None
                if error.status not in _PASSING:
                    raise
                why, after = f"{error.status}, {error.said}", error.after
            except (OSError, http.client.HTTPException) as error:
                if isinstance(reason := getattr(error, "reason", error), ssl.SSLCertVerificationError):
                    raise EngineError(
                        f"{self.address.host}: its certificate is not trusted ({reason.verify_message})"
                    ) from None
                why, after = str(reason) or type(reason).__name__, None
            if attempt + 1 < ATTEMPTS:
                growing = min(_LONGEST_PAUSE, FIRST_PAUSE * 2**attempt) * random.uniform(0.75, 1.25)
                time.sleep(growing if after is None else min(after, 4 * _LONGEST_PAUSE))
        raise EngineError(f"{self.address.host}: asked {ATTEMPTS} times ({why[:200]}); {_RESUME}")


def said_in(error: urllib.error.HTTPError) -> str:
    """The message of an error as OpenAI, vLLM and llama-server write it, else the status in words."""
    try:
        found = json.loads(error.read())
        inner = found.get("error", found)
        text = inner.get("message") if isinstance(inner, dict) else inner
    except (ValueError, AttributeError, OSError):
        text = None
    return " ".join(str(text or error.reason).split())[:300]


def pause_of(header: str | None) -> float | None:
    """Retry-After in seconds; None for a date, or for none."""
    return float(header) if header and header.isdecimal() else None
