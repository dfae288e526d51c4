"""What a request is answered that cannot be: a status, and one line in the form that OpenAI's clients read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from logos_cli.chemistry.grammar import RowError
from logos_cli.errors import EngineError, InputError, MissingDependency, TokenizerError, UsageError

_KINDS = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


class ApiError(Exception):
    """`param` names the part of the request that is wrong."""

    def __init__(self, status: int, message: str, param: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.headers = status, message, param, dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        kind = _KINDS.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": None}}

    @classmethod
    def of(cls, error: Exception) -> ApiError:
        """What befell a request; a fault of ours says no more than its kind."""
        if isinstance(error, ApiError):
            return error
        if isinstance(error, UsageError | InputError | TokenizerError | RowError):
            return cls(400, spelled_as_keys(str(error)))
        if isinstance(error, EngineError):
            return cls(503, spelled_as_keys(str(error)), headers={"Retry-After": "1"})
        if isinstance(error, MissingDependency):
            return cls(501, str(error))
        return cls(500, f"internal error, {type(error).__name__}; the server's log has it")


def spelled_as_keys(text: str) -> str:
    """A message of the command line with its options spelled as a request spells them: --top-k is top_k."""
    return re.sub(r"(?<![\w-])--?([a-z][a-z-]*)", lambda found: found[1].replace("-", "_"), text)
