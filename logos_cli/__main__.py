"""Entry point, kept short: what stands here runs before any import can take time."""

from __future__ import annotations

import signal

# Until `main` catches it, Ctrl-C ends the program as it ends any other, not with a traceback out of some import.
# A script's background job has it ignored, and goes on ignoring it.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from logos_cli.commands.command_line import main

if __name__ == "__main__":
    main()
