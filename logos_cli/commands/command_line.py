"""Runs a command and turns every end into the contract's exit code and at most one line."""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
from contextlib import suppress

import typer

from logos_cli.errors import LogosError
from logos_cli.system.closed_output import ClosedOutput, silence_stdout
from logos_cli.system.interrupt import STOPS, Stopped, left_behind, stopped

INTERRUPTED = 130


def main() -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGPIPE"):
        # A closed pipe ends the program as it ends cat: silently, status 141 in the shell.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # `kill`, batch systems, a closed terminal: leave through the same doors as an error, so that nothing half-written stays
    # behind; nohup's ignored SIGHUP stays ignored.
    for number in STOPS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stopped)
    if sys.stdout is None:  # started with >&-
        sys.stdout = ClosedOutput(os.open(os.devnull, os.O_WRONLY))
    # Records are UTF-8 whatever the locale; what Unicode forbids (a lone surrogate in a JSON id) is escaped.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")
    code = run(sys.argv[1:])
    if left_behind():
        # A thread is still inside a C library, which must not be taken apart under it.
        leave(code)
    sys.exit(code)


def leave(code: int) -> None:
    """End without finalizers; what was said is flushed."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def run(arguments: list[str]) -> int:
    debug = "--debug" in arguments
    try:
        from logos_cli.commands.app import app

        code = app(args=with_values(arguments), prog_name="logos", standalone_mode=False)
        # Typer turns Ctrl-C into an exit code of its own.
        if code == INTERRUPTED:
            return fail("interrupted", INTERRUPTED)
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return fail("interrupted", INTERRUPTED, debug)
    except Stopped as stop:
        return fail(f"stopped by {stop.signal.name}", stop.exit_code, debug)
    except LogosError as error:
        return fail(str(error), error.exit_code, debug)
    except typer.TyperException as error:
        return fail(f"{error.format_message()} See: logos {words(arguments)}--help", error.exit_code, debug)
    except OSError as error:
        # The rest of a failing system: a full disk behind stdout, a vanished working folder.
        silence_stdout()
        place = f"{error.filename}: " if error.filename else ""
        return fail(f"{place}{error.strerror or error}", 1, debug)
    except Exception as error:  # noqa: BLE001  # a fault of ours: still one line, and how to see the rest
        silence_stdout()
        return fail(
            f"internal error, {type(error).__name__}: {error}; add --debug to see where, and please report it", 1, debug
        )


def with_values(arguments: list[str]) -> list[str]:
    """`--calibrate` may stand alone, which Typer has no option for: it then gets an empty value."""
    found = []
    for place, argument in enumerate(arguments):
        following = arguments[place + 1 : place + 2]
        alone = argument == "--calibrate" and (not following or (following[0].startswith("-") and following != ["-"]))
        found.append("--calibrate=" if alone else argument)
    return found


def words(arguments: list[str]) -> str:
    """The command that was meant, as far as it exists."""
    from logos_cli.commands.app import app

    known: set[str] = set()
    for commands in (
        app.registered_commands,
        *(g.typer_instance.registered_commands for g in app.registered_groups if g.typer_instance),
    ):
        known |= {command.callback.__name__ for command in commands if command.callback}
    known |= {str(group.typer_instance.info.name) for group in app.registered_groups if group.typer_instance}
    found = []
    for argument in arguments[:2]:
        if argument not in known:
            break
        found.append(argument)
    return "".join(f"{word} " for word in found)


def fail(message: str, code: int, debug: bool = False) -> int:
    """Say it in one line, under --debug after the traceback; the exit code."""
    if debug:
        traceback.print_exc()
    if sys.stderr is not None:
        sys.stderr.write(f"logos: {' '.join(message.split())}\n")
    return code
