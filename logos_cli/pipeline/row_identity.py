"""A running digest of the rows of an input: what a resume compares to know that it reads the same ones."""

from __future__ import annotations

import hashlib

from logos_cli.rows.row import Row


class RunningDigest:
    """After each row 16 hexadecimal digits that depend on it and on every row before, so that the first row that differs
    is the first whose digest does, whether rows come from a file or from a pipe."""

    def __init__(self) -> None:
        self.state = b""
        self.rows = 0

    @property
    def value(self) -> str:
        return self.state.hex()[:16]

    def add(self, row: Row) -> str:
        """Takes in the next row and gives the digest up to it."""
        site = row.site and (row.site.chain, row.site.numbers, row.site.notes)
        fields = (
            row.id, row.value, row.text, row.reactants, row.truth, row.columns, row.error, row.kind, row.pocket, row.ligand,
            row.material, row.recorded, site,
        )  # fmt: skip
        self.state = hashlib.sha256(self.state + repr(fields).encode("utf-8", "backslashreplace")).digest()
        self.rows += 1
        return self.value
