"""Which part of a cluster each worker gets, and whether what it opened is what the others opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from logos_cli import __version__
from logos_cli.cluster.worker import Opened
from logos_cli.errors import EngineError, UsageError


@dataclass(frozen=True)
class Ask:
    """What the command line says of workers: the cluster's `address`, how many (None: one a node, or one a GPU), and each
    one's engine."""

    address: str
    workers: int | None = None
    device: str = "auto"
    threads: int | None = None
    batch: int | None = None
    ship: bool = False


@dataclass(frozen=True)
class Share:
    """What Ray keeps for each of `workers`."""

    workers: int
    cpus: int
    gpus: int


def share_of(ask: Ask, nodes: Sequence[dict[str, float]]) -> Share:
    """What each worker gets of nodes with these resources. Raises UsageError, EngineError for what they have not."""
    gpus = int(sum(node.get("GPU", 0) for node in nodes))
    if ":" in ask.device:
        raise UsageError(f"--device {ask.device}: Ray gives each worker a card of its own; say --device cuda")
    cpus = [int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1]
    if ask.device == "cuda" and not gpus:
        raise EngineError("--device cuda: no node of the cluster has a GPU that Ray knows; see ray status")
    if not cpus:
        raise EngineError("no node of the cluster has a CPU for a worker; see ray status")
    if gpus and ask.device in ("auto", "cuda"):
        workers = ask.workers or gpus
        each = min(int(node["CPU"] // node["GPU"]) for node in nodes if node.get("GPU", 0) >= 1 and node.get("CPU", 0) >= 1)
        return Share(workers, ask.threads or max(1, each), 1)
    if ask.threads is not None:
        if ask.threads > max(cpus):
            raise UsageError(f"--threads {ask.threads}: no node of the cluster has more than {max(cpus)} CPUs")
        return Share(ask.workers or sum(count // ask.threads for count in cpus), ask.threads, 0)
    workers = ask.workers or len(cpus)
    # As many on each node as it takes to have that many.
    most = -(-workers // len(cpus))
    return Share(workers, max(1, min(cpus) // most), 0)


def check_alike(fingerprint: str | None, first: Opened, other: Opened) -> None:
    """Raises EngineError for a worker whose answers could be others."""
    if other.version != __version__:
        raise EngineError(f"{other.node} has logos {other.version}, and this is {__version__}; install the same on each node")
    if fingerprint is not None and other.info.fingerprint != fingerprint:
        raise EngineError(
            f"the model on {other.node} is {other.info.fingerprint[:12]}, and the one here {fingerprint[:12]}; --ship sends it"
        )
    names = ("name", "fingerprint", "scheme", "kv_type", "build", "device", "rows")
    for name in names:
        here, there = getattr(first.info, name), getattr(other.info, name)
        if here != there:
            raise EngineError(f"{name} is {there} on {other.node} and {here} on {first.node}; answers would depend on the node")
