"""What a model behind an address is, as far as its server tells, and what is not promised of its answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from logos_cli.chemistry.grammar import MARKERS
from logos_cli.engines.engine import EngineSettings
from logos_cli.engines.remote.engine import RemoteEngine
from logos_cli.engines.remote.server import UNKNOWN_CONTEXT
from logos_cli.errors import TokenizerError


@dataclass(frozen=True)
class ServerInspection:
    """`context` and `missing` (markers that are not one token there) are None where the server does not tell."""

    address: str
    model: str
    server: str
    context: int | None
    stated: dict[str, object]
    fingerprint: str
    missing: tuple[str, ...] | None
    not_promised: tuple[str, ...]


def inspect_server(address: str) -> ServerInspection:
    """Ask the server of `address`. Raises UsageError and EngineError."""
    engine = RemoteEngine(address, EngineSettings())
    missing: list[str] | None = []
    for marker in MARKERS:
        try:
            if engine.marker(marker) < 0:
                missing = None
                break
        except TokenizerError:
            assert missing is not None
            missing.append(marker)
    server, context = engine.server, engine.server.context
    return ServerInspection(
        engine.address.base, server.model, server.name, None if context == UNKNOWN_CONTEXT else context, server.stated,
        engine.info.fingerprint, None if missing is None else tuple(missing), server.limits(),
    )  # fmt: skip


def server_facts(found: ServerInspection) -> Iterator[tuple[str, str]]:
    """Give (name, text) of each, in the order in which they are shown."""
    yield "kind", f"a model on a server, {found.server}"
    yield "model", found.model + "".join(f", {name} {value}" for name, value in found.stated.items())
    yield "context", f"{found.context:,} tokens" if found.context else "not told"
    if found.missing is None:
        yield "markers", "not told"
    else:
        lacking = f", missing: {' '.join(found.missing)}" if found.missing else ""
        yield "markers", f"{len(MARKERS) - len(found.missing)} of {len(MARKERS)} are one token each{lacking}"
    yield "fingerprint", found.fingerprint
    for text in found.not_promised:
        yield "not promised", text
