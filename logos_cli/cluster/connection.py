"""Ray itself: connecting to it, and what its errors mean. Needs the extra `ray`."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from logos_cli.errors import EngineError, LogosError, MissingDependency, UsageError

LOCAL = "local"
KNOCK = 10.0  # seconds for a cluster's port to open; Ray itself tries for minutes


def connected(address: str) -> Any:
    """Ray, connected. Raises EngineError where no cluster answers, MissingDependency without Ray."""
    if address.startswith("ray://"):
        raise UsageError(f"--ray {address}: Ray's client protocol is not used; run on a node of the cluster with --ray auto")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report to its makers
    try:
        import ray
    except ImportError:
        raise MissingDependency("--ray needs Ray: pip install 'logos-cli[ray]'") from None
    check_port(address)
    if address == LOCAL:
        os.environ.setdefault("RAY_worker_niceness", "0")  # 15 by Ray's default: behind all else on the user's own machine
    local = {"include_dashboard": False} if address == LOCAL else {}
    with own_handlers():
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **local)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            raise no_answer(address, error) from error
    return ray


def check_port(address: str) -> None:
    """Raises EngineError for a HOST:PORT where nothing listens."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK).close()
        except (OSError, OverflowError) as error:  # the second for a port beyond 65535
            raise no_answer(address, error) from error


def no_answer(address: str, error: Exception) -> EngineError:
    remedy = "run on one of its nodes (ray start --address=…) with --ray auto, or --ray local"
    return EngineError(f"--ray {address}: no Ray cluster answers ({one_line(error)}); {remedy}")


@contextmanager
def own_handlers() -> Iterator[None]:
    """Ray puts a handler of its own in the place of ours."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def losses(ray: Any) -> tuple[type[Exception], ...]:
    """What Ray raises for work that went down with its worker, its node, or the memory that its result lay in."""
    errors = ray.exceptions
    return (
        errors.RayActorError, errors.NodeDiedError, errors.WorkerCrashedError, errors.ObjectLostError, errors.OutOfMemoryError,
    )  # fmt: skip


def told(error: Any, node: str) -> Exception:
    """What a worker raised, as if it had been raised here."""
    cause = error.cause
    if isinstance(cause, LogosError):
        return type(cause)(f"{node}: {cause}")
    if isinstance(cause, ImportError):
        return MissingDependency(f"{node}: {cause}; install logos-cli with the same extras on each node")
    return EngineError(f"{node}: {type(cause).__name__}: {cause}")


def one_line(error: Exception) -> str:
    """The beginning of what Ray says, which may be many lines."""
    return " ".join(str(error).split())[:200]
