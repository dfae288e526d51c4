"""The body of a request: read within a bound, and JSON that is what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from logos_cli.serving.api_error import ApiError

if TYPE_CHECKING:
    from starlette.requests import Request


async def read_body(request: Request, most: int) -> bytes:
    """Raises ApiError for one over `most` bytes, before it is kept."""
    too_long = ApiError(413, f"the body is over {most:,} bytes; send several requests")
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length[:20]) > most:
        raise too_long
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise too_long
        parts.append(part)
    return b"".join(parts)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def parsed_json(body: bytes) -> Any:
    """Raises ApiError for what is no JSON, or holds half of a character."""
    try:
        found = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {error}") from None
    if b"\\ud" in body.lower():
        try:
            json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ApiError(
                400, "the body holds half of a surrogate pair (\\ud800 to \\udfff alone), which is no text"
            ) from None
    return found


def json_object(body: bytes) -> dict[str, Any]:
    found = parsed_json(body)
    if not isinstance(found, dict):
        raise ApiError(400, f"the body is {kind_of(found)}; an object is expected")
    return found


def kind_of(value: Any) -> str:
    """What JSON calls it."""
    if isinstance(value, bool):
        return "true or false"
    names = {dict: "an object", list: "a list", str: "a text", int: "a whole number", float: "a number", type(None): "null"}
    return names.get(type(value), type(value).__name__)


# Name of a kind -> what its values are; a whole number is a number too.
_CHECKS: Mapping[str, tuple[type, ...]] = {
    "a whole number": (int,), "a number": (int, float), "a text": (str,), "true or false": (bool,), "a list": (list,),
    "an object": (dict,),
}  # fmt: skip


def checked(found: Mapping[str, Any], name: str, *kinds: str) -> Any:
    """The value of a key, None for none or null. Raises ApiError for one that is of no kind of `kinds`."""
    value = found.get(name)
    if value is None:
        return None
    for kind in kinds:
        if isinstance(value, _CHECKS[kind]) and isinstance(value, bool) == (kind == "true or false"):
            return value
    raise ApiError(400, f"{name} is {kind_of(value)}; it takes {' or '.join(kinds)}", name)
