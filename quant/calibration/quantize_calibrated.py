"""`logos quantize --calibrate` and `--budget`: what the model reads, what is measured on it, what is made of that."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from logos_cli.engines.engine import EngineSettings
from logos_cli.errors import UsageError
from logos_cli.pipeline.own_texts import OWN
from logos_cli.quant.calibration.budget import Budget, Option, best_choice, free_bytes
from logos_cli.quant.calibration.calibrate import (
    OWN_ORIGIN,
    Sequences,
    collect,
    open_unquantized,
    own_sequences,
    sequences_of_rows,
)
from logos_cli.quant.calibration.damage import Damage, Meter, damages, sample, smallest
from logos_cli.quant.calibration.imatrix import Imatrix, is_imatrix, read_imatrix, write_imatrix
from logos_cli.quant.calibration.refine_gguf import Refiner, whole_matrices
from logos_cli.quant.quantize_gguf import Recipe, check_source, write_quantized
from logos_cli.quant.report import QuantReport
from logos_cli.quant.schemes import Scheme
from logos_cli.records.journal import Journal
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading
from logos_cli.system.files import atomic, sha256
from logos_cli.system.quantities import counted
from logos_cli.system.reporter import Reporter
from logos_cli.tasks.table import task_named

if TYPE_CHECKING:
    from logos_cli.engines.llamacpp.engine import LlamaCppEngine
    from logos_cli.models.gguf_header import GgufHeader

IMATRIX = "imatrix.gguf"
FEW = 2000  # tokens: docs/calibration.md has what 1,137 of them do


@dataclass(frozen=True)
class Calibration:
    """What is asked for. `calibrate` is a file of rows or an importance matrix, empty for the model's own samples; `scheme`
    counts without `budget`."""

    source: Path
    out: Path
    scheme: Scheme
    budget: Budget | None
    calibrate: str
    task: str | None
    save_imatrix: Path | None
    resume: bool
    threads: int | None
    reporter: Reporter

    @property
    def file(self) -> Path | None:
        return Path(self.calibrate) if self.calibrate not in ("", "-") else None


def quantize_calibrated(asked: Calibration) -> tuple[QuantReport, dict[str, Any]] | None:
    """Quantize; (the report, what `--json` adds to it), or None if a run that was to be resumed is complete."""
    header = check_source(asked.source)
    ready = asked.file if asked.file and asked.file.is_file() and is_imatrix(asked.file) else None
    if ready and asked.save_imatrix:
        raise UsageError(f"--save-imatrix: {ready} is an importance matrix already")
    if asked.budget:
        check_budget(asked.budget, header)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory()))
        engine = opened.enter_context(closing(open_unquantized(asked.source, EngineSettings("cpu", asked.threads))))
        # What is wrong with the user's file is said before anything is left beside the output.
        given = given_texts(asked, engine) if asked.calibrate and not ready else None
        if ready:
            imatrix, path = read_imatrix(ready), ready
            imatrix.check(ready, header)
        journal = opened_journal(asked, header, given, ready, opened) if asked.budget else None
        if journal and journal.complete:
            asked.reporter.note(f"{asked.out} is complete; nothing to resume")
            return None
        sequences = None if ready else given or own_or_stored(engine, journal, asked.reporter)
        if sequences:
            imatrix, path = collected(engine, sequences, asked.reporter), asked.save_imatrix or folder / IMATRIX
            with atomic(path) as beside:
                write_imatrix(imatrix, beside)
        more: dict[str, Any] = {"calibration": {"texts": list(imatrix.datasets), "tokens": imatrix.tokens}}
        types: dict[str, str] = {}
        if asked.budget:
            assert journal is not None
            read = sequences or own_or_stored(engine, journal, asked.reporter)
            choice, found = chosen_types(engine, read, imatrix, asked.budget, journal, asked.reporter)
            show_choice(choice, found, asked.reporter)
            types = {name: option.type for name, option in choice.items()}
            more |= {"budget": str(asked.budget), "matrices": [described(one, choice[one.name]) for one in found]}
        refiner = Refiner(engine, sequences) if sequences else None
        scheme = None if asked.budget else asked.scheme
        recipe = Recipe(path, types)
        report = write_quantized(asked.source, asked.out, scheme, asked.threads, recipe, refiner, asked.reporter)
        if journal:
            journal.discard()
    return report, more


def check_budget(budget: Budget, header: GgufHeader) -> None:
    """Raise UsageError now for a budget that nothing fits into, before anything is measured."""
    least, room = smallest(header), free_bytes(budget, header)
    if least > room:
        fixed = budget.data_bytes(header) - room
        bits = 8 * (least + fixed) / header.elements
        raise UsageError(f"--budget {budget}: too small, the least for this model is {bits:.2f} bits a weight")


def opened_journal(
    asked: Calibration, header: GgufHeader, given: Sequences | None, ready: Path | None, opened: ExitStack
) -> Journal:
    """Where measurements are kept until the file is made. They hold for any budget, so that one may be changed."""
    texts = given.digest if given else sha256(ready) if ready else "own samples"
    settings = {"model": header.fingerprint, "texts": texts}
    journal = Journal(asked.out, settings, asked.resume, of_output={"budget": str(asked.budget)})
    opened.callback(journal.close)
    if damage := journal.damage():
        asked.reporter.note(damage)
    return journal


def given_texts(asked: Calibration, engine: LlamaCppEngine) -> Sequences:
    """Read the rows of the user's file as texts."""
    task = task_named(asked.task) if asked.task else None
    rows = read_rows(asked.calibrate, Reading(task.wants if task else "any", side=task.side if task else ""))
    found = sequences_of_rows(rows, task, engine, asked.file.name if asked.file else "stdin")
    if found.left_out:
        asked.reporter.note(f"{counted(len(found.left_out), 'row')} left out, first: {found.left_out[0]}")
    return found


def own_or_stored(engine: LlamaCppEngine, journal: Journal | None, reporter: Reporter) -> Sequences:
    """The model's own samples, from the journal if it has them."""
    stored = journal.get("own samples") if journal else None
    if stored is not None:
        return Sequences(tuple(map(tuple, stored)), OWN_ORIGIN)
    reporter.note("the model writes its own calibration texts")
    with reporter.progress("writing texts", len(OWN), "modalities") as bar:
        found = own_sequences(engine, bar.advance)
    if journal:
        journal.put(found.ids, "own samples")
    return found


def collected(engine: LlamaCppEngine, sequences: Sequences, reporter: Reporter) -> Imatrix:
    """Read the texts and sum what the matrices are multiplied with."""
    reporter.note(f"calibrating on {counted(len(sequences.ids), 'text')}, {sequences.tokens:,} tokens ({sequences.origin})")
    if sequences.tokens < FEW:
        reporter.note("  few tokens: other texts will gain little; without a file the model writes about 20,000")
    with reporter.progress("reading texts", sequences.tokens, "tokens") as bar:
        return collect(engine, sequences, bar.advance)


def chosen_types(
    engine: LlamaCppEngine, sequences: Sequences, imatrix: Imatrix, budget: Budget, journal: Journal, reporter: Reporter
) -> tuple[dict[str, Option], list[Damage]]:
    """(type of each matrix, what was measured of each)."""

    def known(name: str) -> Damage | None:
        stored = journal.get("damage", name)
        return Damage(**stored) if stored else None

    def keep(found: Damage) -> None:
        journal.put(asdict(found), "damage", found.name)

    read = sample(sequences, engine.vocabulary)
    reporter.note(f"measuring what each type costs each matrix, on {read.tokens:,} tokens")
    with (
        closing(Meter(engine, read, imatrix)) as meter,
        reporter.progress("measuring", len(whole_matrices(engine.header)), "matrices") as bar,
    ):
        found = list(damages(meter, known, keep, bar.advance))
    return best_choice({one.name: one.options() for one in found}, free_bytes(budget, engine.header)), found


def described(one: Damage, option: Option) -> dict[str, Any]:
    """What was chosen for a matrix, and why: what each type would have cost."""
    kinds = {
        other.type.lower(): {
            "bytes": other.bytes, "damage": float(f"{other.damage:.4g}"), "measured": other.type in one.measured,
            "error": float(f"{one.error[other.type]:.4g}"),
        }
        for other in one.options()
    }  # fmt: skip
    return {"name": one.name, "type": option.type.lower(), "damage": float(f"{option.damage:.4g}"), "types": kinds}


def show_choice(choice: dict[str, Option], found: list[Damage], reporter: Reporter) -> None:
    """One line for each kind of matrix: how sensitive it is, and what it got."""
    kinds: dict[str, list[Damage]] = {}
    for one in found:
        kinds.setdefault(one.name.split(".")[-2], []).append(one)  # blk.3.attn_q.weight, output.weight
    rows = []
    for kind, several in kinds.items():
        options = [choice[one.name] for one in several]
        counts = Counter(option.type.lower() for option in options)
        weights = sum(one.bytes["Q8_0"] for one in several) * 32 / 34
        rows.append(
            [
                kind,
                " ".join(f"{name}×{count}" for name, count in counts.most_common()),
                f"{8 * sum(option.bytes for option in options) / weights:.2f}",
                # The first type measured is the one of four bits.
                f"{sum(next(iter(one.measured.values())) for one in several) / len(several):.2g}",
                f"{sum(option.damage for option in options) / len(several):.2g}",
            ]
        )
    reporter.table(["matrices", "types", "bits", "damage at 4 bits", "damage as chosen"], rows)
    total = sum(option.damage for option in choice.values())
    reporter.note(
        f"  damage: mean KL divergence, nats a token, that one matrix causes; all together about {total:.2g} before rounding"
    )
