"""Who answers the rows of `logos generate`: an engine in this process, or the workers of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from logos_cli.errors import UsageError

if TYPE_CHECKING:
    from logos_cli.cluster.placing import Ask
    from logos_cli.engines.engine import EngineInfo, EngineSettings
    from logos_cli.pipeline.generate_records import Done, GenerationPlan, Samples
    from logos_cli.records.record import Record
    from logos_cli.rows.row import Row


@dataclass(frozen=True)
class Answering:
    """`records` answers rows by a plan, going on after what is done, with the samples an earlier run has kept."""

    info: EngineInfo
    records: Callable[[Iterable[Row], GenerationPlan, Done, Samples | None], Iterator[Record]]
    close: Callable[[], None]


def ask_of(address: str | None, workers: int | None, ship: bool, settings: EngineSettings) -> Ask | None:
    """What --ray, --workers and --ship ask for; None for this process. Raises UsageError."""
    from logos_cli.cluster.placing import Ask

    if address is None:
        if name := "--workers" if workers is not None else "--ship" if ship else "":
            raise UsageError(f"{name} is of a Ray cluster; add --ray local, --ray auto or --ray ADDRESS")
        return None
    return Ask(address, workers, settings.device, settings.threads, settings.batch, ship)


def open_answering(model: str | None, settings: EngineSettings, ask: Ask | None) -> Answering:
    """Raises what opening the model or the cluster raises."""
    from logos_cli.terminal.model_word import is_nano, model_path, open_model

    if ask is None:
        from logos_cli.pipeline.generate_records import generate_records

        engine = open_model(model, settings)
        return Answering(
            engine.info, lambda rows, plan, done, kept: generate_records(rows, plan, engine, done, kept), engine.close
        )
    from logos_cli.cluster import blocks
    from logos_cli.cluster.model_source import model_source
    from logos_cli.cluster.pool import Pool

    # nano lies in this machine's cache, and is small.
    pool = Pool(ask, partial(model_source, model_path(model), ask.ship or is_nano(model)), settings.note)
    return Answering(
        pool.info, lambda rows, plan, done, kept: blocks.generate_records(rows, plan, pool, done, kept), pool.close
    )
