"""Checkpoint folders against transformers: each is converted to GGUF and to ONNX, and both engines asked what it is asked.

    python tests/stress/checkpoint_table.py FOLDER…        # needs torch and transformers, 4.57 or 5

A line each: the folder, what transformers does with it, what GGUF and ONNX do, with tabs between. Exit 1 if a conversion that
went through gives other ids or other answers than transformers, or if only one of the two formats is refused. Whether a refusal
names the right cause is for a person to read.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from transformers_reference import Found, of_engine, of_transformers

from logos_cli.commands.command_line import run
from logos_cli.engines.engine import EngineSettings
from logos_cli.engines.open_engine import open_engine


def converted(folder: Path, to: str) -> Found:
    """Ids and answers of `folder` as a model file. Raises ValueError with the line that refused it."""
    with tempfile.TemporaryDirectory(prefix="logos-table-") as name:
        out = Path(name) / ("m.gguf" if to == "gguf" else "m")
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            code = run(["convert", str(folder), "-o", str(out), "--to", to, "--type", "f32"])
        if code:
            raise ValueError(said.getvalue().splitlines()[-1])
        engine = open_engine(out, EngineSettings(device="cpu"))
        try:
            return of_engine(engine)
        finally:
            engine.close()


def tried(read: Callable[[], Found]) -> Found | str:
    """What `read` gives, or the first line of its error."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001  # transformers raises anything
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"


def verdict(found: Found | str, expected: Found | str) -> str:
    if isinstance(found, str):
        return f"refused: {found.removeprefix('ValueError: ')}"
    if isinstance(expected, str):
        return "read"
    if found[0] != expected[0]:
        return "OTHER IDS"
    return "same" if found[1] == expected[1] else "OTHER ANSWERS"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    counts: Counter[str] = Counter()
    for folder in parser.parse_args().folders:
        expected = tried(lambda: of_transformers(folder))  # noqa: B023
        found = {to: tried(lambda: converted(folder, to)) for to in ("gguf", "onnx")}  # noqa: B023
        verdicts = [verdict(one, expected) for one in found.values()]
        counts.update(one.split(":")[0] for one in verdicts)
        apart = found["gguf"] != found["onnx"] and not all(isinstance(one, str) for one in found.values())
        counts["THE FORMATS DIFFER"] += apart
        line = (folder.name, expected if isinstance(expected, str) else "answers", *verdicts)
        sys.stdout.write("\t".join(line) + ("\tTHE FORMATS DIFFER\n" if apart else "\n"))
        sys.stdout.flush()
    sys.stderr.write(", ".join(f"{number} {what}" for what, number in counts.most_common() if number) + "\n")
    return int(any(counts[what] for what in ("OTHER IDS", "OTHER ANSWERS", "THE FORMATS DIFFER")))


if __name__ == "__main__":
    sys.exit(main())
