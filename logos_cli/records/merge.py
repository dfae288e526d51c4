"""Shards of one run become the file of the whole run, byte for byte: row by row, each from the shard that has it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from logos_cli.errors import InputError, OutputError, UsageError
from logos_cli.records.finished_run import beside, differences, sha256, sign
from logos_cli.records.shard import PART, SHARD, Part, Shard
from logos_cli.system.files import atomic
from logos_cli.system.lines import Blank

_HANDLES = 64  # files besides the shards that a process may have open


@dataclass(frozen=True)
class ShardFile:
    """A finished shard: what its OUT.run says of it. `rows` are the number and the digest of the whole input's."""

    path: Path
    shard: Shard
    settings: dict[str, Any]
    rows: tuple[int, str]
    part: Part

    @classmethod
    def read(cls, path: Path) -> ShardFile:
        """Raises InputError for a file that is no finished shard, or was changed since."""
        if not path.is_file():
            unfinished = path.with_name(path.name + ".partial")
            remedy = f"{unfinished} is there: end its run with --resume" if unfinished.exists() else "give the shards' files"
            raise InputError(f"{path}: no such file; {remedy}")
        run = beside(path)
        try:
            found = json.loads(run.read_text(encoding="utf-8"))
            settings = dict[str, Any](found["settings"])
            if SHARD not in settings:
                raise InputError(f"{path} is the output of a whole run, and no shard of one; leave it out")
            rows = int(found["rows"][0]), str(found["rows"][1])
            shard = Shard.parse(str(settings.pop(SHARD)), {})
            one = cls(path, shard, settings, rows, Part.from_dict(found[PART]))
            whole = len(one.part.lines) == shard.before(rows[0])
        except FileNotFoundError:
            told = f"{path}: nothing says which shard it is; {run.name} is missing, which the run left beside it"
            raise InputError(told) from None
        except (OSError, ValueError, KeyError, TypeError, IndexError, UsageError):
            whole = False
        if not whole:
            raise InputError(f"{run} is damaged: nothing says which shard {path} is; run the shard again")
        if found.get("out_sha256") != sha256(path):
            raise InputError(f"{path} was changed since its run wrote it; run shard {shard} again")
        return one

    @property
    def identity(self) -> dict[str, Any]:
        """What all shards of a run have in common. Which of several equal cards a shard was written on changes nothing."""
        told = self.settings | {"number of shards": self.shard.count}
        if isinstance(device := told.get("device"), str):
            told["device"] = re.sub(r"^([A-Za-z]+)\d+ ", r"\1 ", device)
        return told


@dataclass(frozen=True)
class Shards:
    """All shards of a run, in their order."""

    files: Sequence[ShardFile]

    @classmethod
    def read(cls, paths: Sequence[Path]) -> Shards:
        """Raises InputError for shards that do not make one whole run, by name."""
        files = [ShardFile.read(path) for path in paths]
        # A foreign one is told by what most of them are, wherever it stands among them.
        kinds = [json.dumps(one.identity, sort_keys=True) for one in files]
        common = files[kinds.index(Counter(kinds).most_common(1)[0][0])]
        for one in files:
            if told := differences(common.identity, one.identity):
                raise InputError(f"{one.path} is no shard of the run that {common.path} is of: {told}")
        inputs = [one.rows for one in files]
        common = files[inputs.index(Counter(inputs).most_common(1)[0][0])]
        for one in files:
            if one.rows != common.rows:
                many = f"{one.rows[0]:,} rows" if one.rows[0] != common.rows[0] else "rows"
                raise InputError(f"{one.path} is of another input than {common.path}: its {many} are others")
        places: dict[int, ShardFile] = {}
        for one in files:
            before = places.setdefault(one.shard.index, one)
            if before is not one:
                raise InputError(f"{before.path} and {one.path} are both shard {one.shard}; give each shard once")
        count = common.shard.count
        missing = [str(Shard(index, count)) for index in range(count) if index not in places]
        if missing:
            listed = ", ".join(missing[:8]) + (" …" if len(missing) > 8 else "")
            what = f"shard {missing[0]} is" if len(missing) == 1 else f"{len(missing)} of {count} shards, {listed}, are"
            raise InputError(f"{what} missing; give the files, or run them with --shard {missing[0]}")
        return cls([places[index] for index in range(count)])

    @property
    def settings(self) -> dict[str, Any]:
        """Those of the whole run."""
        return self.files[0].settings

    @property
    def format(self) -> str:
        return str(self.settings.get("format"))

    @property
    def tally(self) -> Counter[str]:
        """What all shards counted, together."""
        total: Counter[str] = Counter()
        for one in self.files:
            total.update(one.part.tally)
        return total

    @property
    def blank(self) -> Blank:
        """What was skipped of the input, which each of them has read whole."""
        return self.files[0].part.blank

    def lines(self) -> Iterator[bytes]:
        """The lines of the whole run's file, header first."""
        raise_limit(len(self.files) + _HANDLES)
        with ExitStack() as opened:
            streams: list[IO[bytes]] = []
            for one in self.files:
                try:
                    streams.append(opened.enter_context(one.path.open("rb")))
                except OSError as error:
                    raise InputError(f"{one.path}: {error.strerror}") from error
            headers = [
                [stream.readline() for _ in range(one.part.header)] for stream, one in zip(streams, self.files, strict=True)
            ]
            begun = False
            for row in range(self.files[0].rows[0]):
                place, index = divmod(row, len(self.files))
                count = self.files[index].part.lines[place]
                if count and not begun:  # the whole run's header is that of its first row
                    yield from headers[index]
                    begun = True
                for _ in range(count):
                    yield streams[index].readline()

    def write(self, out: Path) -> None:
        """Write OUT and OUT.run as the whole run would have. Raises OutputError."""
        with atomic(out) as fresh, fresh.open("wb") as target:
            target.writelines(self.lines())
        sign(out, self.settings, rows=list(self.files[0].rows))


def raise_limit(files: int) -> None:
    """Let this process open so many files. Raises OutputError if it may not."""
    try:
        import resource
    except ImportError:  # Windows counts them otherwise
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= files:
        return
    if hard != resource.RLIM_INFINITY and hard < files:
        raise OutputError(f"{files:,} files at once are more than the {hard:,} that a process may open here; see ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
