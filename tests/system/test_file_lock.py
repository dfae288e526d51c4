"""Only a lock that another holds is another run; a file system without locks is none."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import Run

from logos_cli.errors import OutputError
from logos_cli.models.hub import fetch
from logos_cli.system.file_lock import lock

UNSUPPORTED = [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL]


@pytest.fixture(params=UNSUPPORTED, ids=errno.errorcode.get)
def without_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system call answers as on Lustre without `-o flock` and on some NFS."""

    def refuse(stream: object, operation: int) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.slow
@pytest.mark.usefixtures("without_locks")
def test_a_run_goes_on_where_nothing_can_be_locked(logos_here: Callable[..., Run], tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    arguments = ("generate", "retro", "-o", out, "--max-tokens", 20)
    done = logos_here(*arguments, stdin="CCO\n")
    assert done.code == 0 and len(out.read_text().splitlines()) == 1, done.err
    again = logos_here(*arguments, "--resume", stdin="CCO\n")
    assert again.code == 0 and "complete" in again.err


@pytest.mark.usefixtures("without_locks")
def test_nor_does_a_pull_wait(tmp_path: Path) -> None:
    with (tmp_path / "folder.lock").open("wb") as stream:
        fetch.lock(stream.fileno(), lambda: pytest.fail("nobody is to be waited for"))


def test_a_lock_that_is_held_is_another_run(tmp_path: Path) -> None:
    path = tmp_path / "o.jsonl.partial"
    with path.open("wb") as first, path.open("ab") as second:
        lock(first, path)
        with pytest.raises(OutputError, match=f"{path} is being written by another run"):
            lock(second, path)
        first.close()
        lock(second, path)
