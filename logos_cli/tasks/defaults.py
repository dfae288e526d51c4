"""Tasks that commands take when nobody names one. Imports nothing, for `--help` shows them."""

from __future__ import annotations

TIMED = "retro"  # what `bench latency` measures end to end
COMPARED = ("molecule", "retro")  # what `bench accuracy` asks where there are no rows
FORMED = "ligand"  # what --form alone is of
ANY = "raw"  # what a row of any content can be taken for
EXPANDING = "retro"  # what a planner asks of the server
