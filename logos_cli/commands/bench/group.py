"""logos bench latency | accuracy | compare | report"""

from __future__ import annotations

import typer

from logos_cli.commands.bench.accuracy import accuracy
from logos_cli.commands.bench.compare import compare
from logos_cli.commands.bench.latency import latency
from logos_cli.commands.bench.report import report

bench = typer.Typer(
    name="bench",
    help="Measure models here: speed, and loss against full precision.",
    rich_markup_mode=None,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
bench.command()(latency)
bench.command()(accuracy)
bench.command()(compare)
bench.command()(report)


@bench.callback()
def overview(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
