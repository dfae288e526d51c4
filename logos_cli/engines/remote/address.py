"""The address of a model on a server: `http://host:port/v1#name`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

from logos_cli.errors import UsageError


def is_address(text: str) -> bool:
    """Whether a model's word names a server instead of a file."""
    return text.startswith(("http://", "https://"))


@dataclass(frozen=True)
class Address:
    """`base` ends before `/completions`; `model` is the server's name of the model, None for the only one it has."""

    base: str
    model: str | None

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises UsageError for what is no address of an OpenAI-compatible server."""
        parts = urlsplit(text)
        try:
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise UsageError(f"{text}: {error}; an address is http://host:port/v1#model") from None
        if not host:
            raise UsageError(f"{text}: no host; an address is http://host:port/v1#model")
        if parts.username is not None or parts.password is not None:
            raise UsageError(f"{host}: a password in the address would end in records; put the key into $LOGOS_API_KEY")
        if parts.query:
            raise UsageError(f"{text}: nothing is asked with ?{parts.query[:40]}; an address is http://host:port/v1#model")
        path = parts.path.rstrip("/").removesuffix("/completions") or "/v1"
        return cls(urlunsplit((parts.scheme, parts.netloc, path, "", "")), unquote(parts.fragment) or None)

    @property
    def host(self) -> str:
        return urlsplit(self.base).netloc

    @property
    def root(self) -> str:
        """Where servers keep what is not OpenAI's, such as /tokenize."""
        return self.base.removesuffix("/v1")
