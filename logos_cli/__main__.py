"""Entry point: runs a command and turns every end into the contract's exit code and at most one line."""

from __future__ import annotations

import os
import signal
import sys

import typer

from logos_cli.errors import LogosError

INTERRUPTED = 130


def main() -> None:
    # A closed pipe ends the program as it ends cat: silently, status 141 in the shell.
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    from logos_cli.app import app

    debug = "--debug" in arguments
    try:
        code = app(args=arguments, prog_name="logos", standalone_mode=False)
        # Typer turns Ctrl-C into an exit code of its own.
        if code == INTERRUPTED:
            return fail("interrupted", INTERRUPTED)
        return code if isinstance(code, int) else 0
    except LogosError as error:
        if debug:
            raise
        return fail(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        if debug:
            raise
        return fail("interrupted", INTERRUPTED)
    except typer.TyperException as error:
        return fail(f"{error.format_message()} See: logos {' '.join(arguments[:1])} --help", error.exit_code)
    except OSError as error:
        # The rest of a failing system: a full disk behind stdout, a vanished working folder.
        if debug:
            raise
        silence_stdout()
        place = f"{error.filename}: " if error.filename else ""
        return fail(f"{place}{error.strerror or error}", 1)


def fail(message: str, code: int) -> int:
    line = " ".join(message.split())
    sys.stderr.write(f"logos: {line}\n")
    return code


def silence_stdout() -> None:
    """What could not be flushed once must not raise again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
