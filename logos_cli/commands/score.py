"""logos score antibodies.fasta --task antibody --mutants 'A23V,95-102' --format csv > variants.csv"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Annotated

import typer

from logos_cli.errors import LogosError, UsageError
from logos_cli.terminal import options


class ScoresFailed(LogosError):
    """No row has a score, or --strict and one has none."""


def score(
    input: Annotated[
        str | None,
        typer.Argument(
            help="Sequences of any modality: .fasta .smi .csv .jsonl .sdf .pdb .cif, also .gz; - or nothing reads stdin.",
            metavar="INPUT",
        ),
    ] = None,
    model: options.Model = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write here instead of to stdout.", show_default=False)
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            help="What the rows are. Default: by content; FASTA is protein, say antibody where it is.",
            autocompletion=options.task_names,
            show_default=False,
        ),
    ] = None,
    mutants: Annotated[
        str | None,
        typer.Option(
            "--mutants",
            help="Mutations A23V,A23V+K45R, places 23,45-50 or a region CDR3 for all nineteen, or a file such as "
            "ProteinGym's; a structure's by its own numbers.",
            show_default=False,
        ),
    ] = None,
    numbered_from: Annotated[
        int | None,
        typer.Option(
            "--numbered-from",
            help="The number that --mutants give the sequence's first residue. Default: 1.",
            show_default=False,
        ),
    ] = None,
    scheme: options.NumberingScheme = None,
    each_token: Annotated[bool, typer.Option("--each-token", help="Add every token with its log-probability.")] = False,
    each_residue: Annotated[
        bool, typer.Option("--each-residue", help="Add the log-probability of every residue of a protein or an antibody.")
    ] = False,
    format: Annotated[options.ScoreFormat, typer.Option("--format")] = options.ScoreFormat.jsonl,
    as_written: options.AsWritten = False,
    form: options.LigandForm = None,
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch",
            min=1,
            help="Most sequences read at once; changes no figure. Default: 32, on a GPU 64.",
            show_default=False,
        ),
    ] = None,
    limit: options.Limit = None,
    shard: options.ShardOption = None,
    device: options.DeviceOption = "auto",
    threads: options.Threads = None,
    resume: options.ResumeResult = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 if any row gave no score.")] = False,
    pocket_from: options.PocketFrom = None,
    cutoff: options.Cutoff = None,
    min_plddt: options.MinPlddt = None,
    plddt_in_bfactors: options.PlddtInBfactors = False,
    chain: options.Chain = None,
    each_copy: options.EachCopy = False,
    smiles_column: options.SmilesColumn = None,
    sequence_column: options.SequenceColumn = None,
    id_column: options.IdColumn = None,
    no_header: options.NoHeader = False,
    debug: options.Debug = False,
) -> None:
    """Log-likelihood of given sequences, or of mutants.

    \b
    Example: logos score vh.fasta --task antibody --mutants 97-106 --format csv
    """
    from logos_cli.chemistry.mutants import Mutations
    from logos_cli.commands.shards import ScoredShard, of_model, scores_told, shard_of
    from logos_cli.engines.engine import EngineSettings
    from logos_cli.pipeline.run_options import check_scheme, check_spelling, check_structure_options
    from logos_cli.pipeline.score_journal import ScoreJournal
    from logos_cli.pipeline.score_records import ScorePlan, score_records
    from logos_cli.records.journal import Journal, check_inputs
    from logos_cli.records.output_names import check_name, file_or_stdout
    from logos_cli.records.score_record import ScoreFormatter
    from logos_cli.rows.row import CUTOFF, Reading
    from logos_cli.system.lines import Blank
    from logos_cli.tasks.defaults import FORMED
    from logos_cli.tasks.table import task_named
    from logos_cli.terminal.console import note, progress
    from logos_cli.terminal.model_word import open_model
    from logos_cli.terminal.rows_input import describe, look_ahead, none_answered, read_limited, total_rows

    if (out := file_or_stdout(out)) is not None:
        check_name(out, format.value, "give --format, or another name")
    check_inputs(out, resume, [input])
    chosen = task_named(task or FORMED, form.value if form else None) if task or form else None
    if mutants is not None and chosen is not None and not chosen.mutates:
        raise UsageError(f"--mutants changes residues: --task protein or antibody, not {chosen.name}")
    if numbered_from is not None and mutants is None:
        raise UsageError("--numbered-from says how --mutants count; give those too")
    if each_residue and chosen is not None and not chosen.mutates:
        raise UsageError(f"--each-residue is for protein and antibody; {chosen.name} is scored by tokens: --each-token")
    if input is None and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("score reads rows from a file or a pipe; give INPUT, or - to type them")
    part = shard_of(shard, out, True)
    check_structure_options(chosen, chain, pocket_from, cutoff, each_copy=each_copy, min_plddt=min_plddt)
    check_spelling(chosen, as_written, "answer")
    check_scheme(chosen, scheme)
    numbered = scheme.value if scheme else None
    asked = Mutations.parse(mutants, numbered or "imgt") if mutants is not None else None
    plan = ScorePlan(chosen, asked, each_token, as_written, numbered, numbered_from, each_residue)
    wants = chosen.wants if chosen else "sequence" if mutants else "any"
    reading = Reading(
        wants, smiles_column, sequence_column, id_column, chain, pocket_from, cutoff or CUTOFF,
        side=chosen.side if chosen else "", header=not no_header, each_copy=each_copy,
        antibodies=chosen is not None and chosen.numbered, min_plddt=min_plddt, plddt_in_bfactors=plddt_in_bfactors,
    )  # fmt: skip
    blank = Blank(note=note)
    rows, _ = look_ahead(read_limited(input, reading, limit, blank, part))
    wanted = {"numbering": numbered is not None, "residue_logprobs": each_residue, "each": each_token}
    shared = ScoredShard(part, ScoreFormatter(format.value, [name for name, there in wanted.items() if there]))
    scored = failed = 0
    engine = open_model(model, EngineSettings(device, threads, batch, note))
    started = time.monotonic()
    with closing(engine):
        described = describe(input, limit, reading) | {"form": form.value if form else None, "format": format.value}
        settings = shared.settings(plan, engine.info, described)
        journal = Journal(out, of_model(engine.info) | {"by_token": plan.by_token}, resume, settings)
        with closing(journal):
            if journal.complete:
                shared.check_finished(journal, rows)
                note(f"{out} is complete; nothing to resume")
                return
            if told := journal.damage():
                note(told)
            known = ScoreJournal(journal) if out is not None else None
            with written(out) as stream, progress("score", total_rows(input, reading, limit), "rows") as bar:
                for record in score_records(shared.own(rows), plan, engine, known):
                    stream.write(shared.lines(record))
                    stream.flush()
                    scored, failed = scored + (record.error is None), failed + (record.error is not None)
                    bar.advance(record.mutant is None)
            journal.discard(**shared.told({"scored": scored, "failed": failed}, blank))
    seconds = time.monotonic() - started
    note("; ".join([*scores_told(scored, failed, blank, part), *([f"{seconds:.1f} s"] if scored + failed else [])]))
    if not scored and failed and not part:
        raise ScoresFailed(none_answered(failed, input, "score"))
    if strict and failed:
        raise ScoresFailed(f"{failed} of {scored + failed} sequences could not be scored (--strict)")


@contextmanager
def written(out: Path | None) -> Iterator[IO[str]]:
    """stdout, or a file that appears when it is complete."""
    from logos_cli.system.files import atomic

    if out is None:
        yield sys.stdout
        return
    with atomic(out) as beside, beside.open("w", encoding="utf-8", errors="backslashreplace") as stream:
        yield stream
