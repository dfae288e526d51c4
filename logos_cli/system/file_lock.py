"""One writer a file, as far as the file system can say."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from logos_cli.errors import OutputError


def lock(stream: IO[bytes], path: Path) -> None:
    """Claim the open `path` until it is closed. Raises OutputError only where another process holds it: Lustre without
    `-o flock`, some NFS and Windows have no such locks, and a run there goes on without."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # EWOULDBLOCK
        raise OutputError(f"{path} is being written by another run; wait for it, or write elsewhere") from None
    except OSError:
        return
