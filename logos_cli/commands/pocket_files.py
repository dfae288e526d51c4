"""--bfactors: one structure a protein, its residues coloured by how often the samples marked them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from logos_cli.errors import OutputError
from logos_cli.system.files import atomic
from logos_cli.system.quantities import counted

if TYPE_CHECKING:
    from logos_cli.records.record import Record
    from logos_cli.records.shard import Shard
    from logos_cli.rows.row import Row
    from logos_cli.structures.chains import Site


class PocketFiles:
    """Keeps the structures of the rows on their way. A file is written before its record: a record that is there has one."""

    def __init__(self, folder: Path) -> None:
        """Raises OutputError if `folder` cannot be one."""
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: {error.strerror}; give a folder for --bfactors") from error
        self.folder = folder
        self.rows: dict[int, tuple[Site | None, str]] = {}
        self.names: set[str] = set()
        self.written = self.without = 0

    def kept(self, rows: Iterable[Row], done: int = 0, shard: Shard | None = None) -> Iterator[Row]:
        """The same rows. The first `done` have their files, those of other shards get none here; names go by the order of the
        input, so that a resumed run or a shard gives each the one it would have had."""
        for row in rows:
            name = re.sub(r"[^\w.+-]", "_", row.id) or "structure"
            if row.site is not None:
                name = name if name not in self.names else f"{name}_{row.ordinal + 1}"
                self.names.add(name)
            if row.ordinal >= done and (shard is None or shard.has(row.ordinal)):
                self.rows[row.ordinal] = row.site, name
            yield row

    def write(self, record: Record) -> None:
        from logos_cli.structures.chains import frequencies_as_bfactors

        site, name = self.rows.pop(record.row, (None, ""))
        if site is None or site.structure is None or record.frequency is None:
            self.without += 1
            return
        suffix, text = frequencies_as_bfactors(site, record.frequency)
        self.written += 1
        with atomic(self.folder / f"{name}_pocket{suffix}") as beside:
            beside.write_text(text, encoding="utf-8")

    def told(self) -> str:
        more = f"; none for {counted(self.without, 'row')} without a structure or an answer" if self.without else ""
        return f"{self.folder}: {counted(self.written, 'structure')} with B-factors{more}"
