"""The command line: one line a command. Lower levels are imported inside the function that needs them."""

from __future__ import annotations

from typing import Annotated

import typer

from logos_cli import __version__
from logos_cli.commands.bench.group import bench
from logos_cli.commands.convert import convert
from logos_cli.commands.doctor import doctor
from logos_cli.commands.draw import draw
from logos_cli.commands.evaluate import evaluate
from logos_cli.commands.generate import generate
from logos_cli.commands.inspect import inspect
from logos_cli.commands.merge import merge
from logos_cli.commands.pull import pull
from logos_cli.commands.quantize import quantize
from logos_cli.commands.score import score
from logos_cli.commands.serve import serve
from logos_cli.commands.tasks import tasks

app = typer.Typer(
    name="logos",
    invoke_without_command=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(pull)
app.command()(convert)
app.command()(quantize)
app.command()(generate)
app.command()(score)
app.command()(merge)
app.command()(evaluate)
app.command()(serve)
app.command()(draw)
app.add_typer(bench)
app.command()(inspect)
app.command()(tasks)
app.command()(doctor)


def show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"logos {__version__}")
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run LOGOS, the open scientific language model, on your own machine.

    \b
    Example: logos generate retro products.smi --top 5 --format smi > answers.smi
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
