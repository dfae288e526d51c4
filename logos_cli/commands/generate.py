"""logos generate retro products.smi -m logos-1b-int4.gguf --top 5 --format smi > reactants.smi"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from logos_cli.errors import UsageError
from logos_cli.terminal import options

if TYPE_CHECKING:
    from logos_cli.pipeline.output import FileOutput, StandardOutput
    from logos_cli.records.record import Record


PATIENCE = 1.0  # seconds to wait for a pipe to show whether its first row is its only one


def generate(
    task: Annotated[
        str, typer.Argument(help="One of those that logos tasks shows.", metavar="TASK", autocompletion=options.task_names)
    ],
    input: Annotated[
        str | None,
        typer.Argument(
            help=".smi .csv .tsv .jsonl .sdf .fasta .pdb .cif, also .gz, or a folder of structures; - or nothing reads stdin.",
            metavar="INPUT",
        ),
    ] = None,
    model: options.Model = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write here, resumable, instead of to stdout.", show_default=False)
    ] = None,
    samples: Annotated[
        int | None, typer.Option("-n", min=1, help="Samples a row. Default: 1, or 32 with --top.", show_default=False)
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="Keep the K most frequent distinct valid answers.", show_default=False)
    ] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="0 is greedy.", show_default=False)] = None,
    top_k: Annotated[int | None, typer.Option("--top-k", help="0 is off.", show_default=False)] = None,
    top_p: Annotated[float | None, typer.Option("--top-p", help="1 is off.", show_default=False)] = None,
    repetition_penalty: Annotated[
        float | None, typer.Option("--repetition-penalty", help="1 is off.", show_default=False)
    ] = None,
    decode: Annotated[
        options.Decode, typer.Option("--decode", help="beam: the likeliest answers, found without chance; needs --top.")
    ] = options.Decode.sample,
    beam_width: Annotated[
        int | None,
        typer.Option("--beam-width", min=1, max=128, help="Default: 2 x --top, at least 16.", show_default=False),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", help="Longest answer. Default: 1000.", show_default=False)
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Default: 0.", show_default=False)] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch",
            min=1,
            help="Most answers written at once; changes no text. Default: 32, on a GPU 64.",
            show_default=False,
        ),
    ] = None,
    limit: options.Limit = None,
    shard: options.ShardOption = None,
    device: options.DeviceOption = "auto",
    threads: options.Threads = None,
    ray: options.RayAddress = None,
    workers: options.Workers = None,
    ship: options.Ship = False,
    format: Annotated[
        options.Format, typer.Option("--format", help="smi: SMILES, id, rank, count; fasta: proteins, antibodies.")
    ] = options.Format.jsonl,
    valid_only: Annotated[bool, typer.Option("--valid-only", help="Leave out invalid answers and failed rows.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted -o run.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 if any row gave no answer.")] = False,
    as_written: options.AsWritten = False,
    keep_identity: options.KeepIdentity = False,
    profile: options.Profile = "logos",
    form: options.LigandForm = None,
    pocket_from: options.PocketFrom = None,
    cutoff: options.Cutoff = None,
    min_plddt: options.MinPlddt = None,
    plddt_in_bfactors: options.PlddtInBfactors = False,
    chain: options.Chain = None,
    each_copy: options.EachCopy = False,
    consensus: Annotated[
        float | None,
        typer.Option(
            "--consensus",
            min=0,
            max=1,
            help="pocket --top: part of the samples that must mark a residue. Default: 0.5.",
            show_default=False,
        ),
    ] = None,
    bfactors: Annotated[
        Path | None,
        typer.Option(
            "--bfactors", help="pocket --top: folder for structures with the frequency as B-factor.", show_default=False
        ),
    ] = None,
    props: Annotated[
        str | None, typer.Option("--props", help="Of molecules: mw,logp,qed,tpsa,sa,rotb,hbd,hba.", show_default=False)
    ] = None,
    similar_to: Annotated[
        str | None,
        typer.Option(
            "--similar-to",
            help="Molecules; each answer gets its nearest one's Tanimoto. The word known: to the row's own ligand.",
            show_default=False,
        ),
    ] = None,
    scheme: options.NumberingScheme = None,
    stock: Annotated[
        Path | None,
        typer.Option(
            "--stock",
            help="SMILES or InChIKeys, one a line; each reactant of retro is in_stock or not.",
            show_default=False,
        ),
    ] = None,
    smiles_column: options.SmilesColumn = None,
    sequence_column: options.SequenceColumn = None,
    id_column: options.IdColumn = None,
    no_header: options.NoHeader = False,
    debug: options.Debug = False,
) -> None:
    """Answer every row of a file or pipe, one JSON line each.

    \b
    Example: logos generate retro products.smi --top 5 --format smi > answers.smi
    """
    from logos_cli.commands.answering import ask_of, open_answering
    from logos_cli.commands.generate_run import added, check_answered, check_format, open_output, run
    from logos_cli.commands.pocket_files import PocketFiles
    from logos_cli.commands.shards import shard_of
    from logos_cli.commands.summary import summary
    from logos_cli.engines.engine import EngineSettings
    from logos_cli.engines.sampling import resolve
    from logos_cli.pipeline import run_options
    from logos_cli.pipeline.generate_records import GenerationPlan
    from logos_cli.pipeline.pocket_vote import CONSENSUS
    from logos_cli.records.output_names import check_name, file_or_stdout
    from logos_cli.rows.row import CUTOFF, Reading
    from logos_cli.system.lines import Blank
    from logos_cli.system.read_ahead import Ahead
    from logos_cli.tasks.profile import profile_named
    from logos_cli.tasks.table import spelled, task_named
    from logos_cli.terminal.console import note
    from logos_cli.terminal.rows_input import describe, input_rows, total_rows

    chosen, asked_as = task_named(task, form.value if form else None), profile_named(profile)
    if asked_as:
        chosen = asked_as.of(chosen)
    if (out := file_or_stdout(out)) is not None:
        check_name(out, format.value, "give --format, or another name")
    if resume and out is None:
        raise UsageError("--resume needs -o OUT: what went to stdout cannot be taken up again")
    if input is None and chosen.needs_input and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError(f"{chosen.name} reads rows from a file or a pipe; give INPUT, or - to type them")
    part = shard_of(shard, out, input is not None or chosen.needs_input)
    check_format(chosen, format.value)
    reads = input is not None or chosen.needs_input
    run_options.check_structure_options(chosen, chain, pocket_from, cutoff, reads, each_copy, min_plddt=min_plddt)
    run_options.check_merging(chosen, top, bfactors, consensus)
    run_options.check_spelling(chosen, as_written, "question")
    run_options.check_identity(chosen, keep_identity)
    run_options.check_scheme(chosen, scheme)
    chosen = spelled(chosen, as_written)
    if out is not None and input is not None and out.exists() and os.path.exists(input) and out.samefile(input):
        raise UsageError(f"{out} is the input; give another -o")
    annotation = run_options.annotation_for(chosen, props, similar_to, scheme.value if scheme else None, stock, note)
    blank = Blank(note=note)
    drawn = {"-n": samples, "--temperature": temperature, "--top-k": top_k, "--top-p": top_p, "--seed": seed}
    drawn["--repetition-penalty"] = repetition_penalty
    beam = run_options.beam_of(
        chosen, decode.value, top, beam_width, [name for name, value in drawn.items() if value is not None]
    )
    flags = {
        "temperature": temperature, "top_k": top_k, "top_p": top_p,
        "repetition_penalty": repetition_penalty, "max_tokens": max_tokens, "seed": seed,
    }  # fmt: skip
    resolve(chosen.name, chosen.sampling, chosen.source, {}, flags)  # a flag out of range is said before the model loads
    reading = Reading(
        chosen.wants, smiles_column, sequence_column, id_column, chain, pocket_from, cutoff or CUTOFF,
        side=chosen.side, header=not no_header, each_copy=each_copy,
        antibodies=chosen.numbered, min_plddt=min_plddt, plddt_in_bfactors=plddt_in_bfactors,
    )  # fmt: skip
    rows = Ahead(input_rows(chosen, input, reading, limit, blank, part))
    rows.wait()
    engine_settings = EngineSettings(device, threads, batch, note)
    ask = ask_of(ray, workers, ship, engine_settings)
    count = beam or samples or (32 if top else 1)
    share = CONSENSUS if consensus is None else consensus
    files = PocketFiles(bfactors) if bfactors else None
    answering = open_answering(model, engine_settings, ask)
    output: StandardOutput | FileOutput | None = None
    try:
        own = {} if asked_as else answering.info.sampling  # a model file's own settings are for LOGOS's grammar
        settings = resolve(chosen.name, chosen.sampling, chosen.source, own, flags).settings
        if answering.info.device != "cpu":
            note(f"device: {answering.info.device}")
        single = count == 1 and not beam and rows.only_one(PATIENCE)
        plan = GenerationPlan(chosen, settings, count, top, single, share, keep_identity, note, beam)
        described = describe(input, limit, reading) | {"form": form.value if form else None, "as_written": as_written}
        described |= {"profile_sha256": asked_as.digest} if asked_as else {}
        described |= added(annotation, similar_to)
        output = open_output(
            out, format.value, valid_only, plan, answering.info, described, annotation.columns, resume, rows, part, blank
        )
        if output is None:
            note(f"{out} is complete; nothing to resume")
            return
        before = output.tally.rows

        def complete(record: Record) -> Record:
            if files:
                files.write(record)
            return annotation.of(record)

        total = total_rows(input, reading, limit)
        named = files.kept(rows, output.done.row, part) if files else rows
        seconds = run(named, plan, answering, output, total, complete, part)
        if files:
            note(files.told())
        note(summary(output.tally, before, seconds, blank, part))
        check_answered(output.tally, input, part is None and (input is not None or chosen.needs_input), strict)
    finally:
        if output:
            output.close()
        answering.close()
