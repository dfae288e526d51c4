"""logos doctor"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from textwrap import wrap
from typing import TYPE_CHECKING

from logos_cli.errors import LogosError
from logos_cli.terminal import options

if TYPE_CHECKING:
    from logos_cli.inspection.diagnosis import Finding

WIDTH = 80
_SIGNS = {True: "ok", False: "BAD", None: "-"}


class Unwell(LogosError):
    """Something without which logos does not run."""


def doctor(as_json: options.Json = False, debug: options.Debug = False) -> None:
    """Check versions, build, GPU, memory and folders.

    \b
    Example: logos doctor
    """
    from logos_cli.inspection.diagnosis import diagnose
    from logos_cli.quant.footprint import footprints
    from logos_cli.system.memory import available_bytes
    from logos_cli.terminal.model_word import model_path

    findings, free = list(diagnose(lambda: model_path("nano"))), available_bytes()
    if as_json:
        found = {
            "findings": [asdict(f) for f in findings],
            "memory_available": free,
            "logos_1b": [asdict(f) for f in footprints()],
        }
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join([*shown(findings), *memory_table(free)]) + "\n")
    bad = [finding for finding in findings if finding.good is False]
    if bad:
        sys.stdout.flush()
        raise Unwell(f"{bad[0].name}: {bad[0].value}; run: {bad[0].remedy}")


def shown(findings: Iterable[Finding]) -> Iterator[str]:
    section = ""
    for finding in findings:
        if finding.section != section:
            section = finding.section
            yield section
        lead = f"  {_SIGNS[finding.good]:<4}{finding.name:<17} "
        rest = " " * len(lead)
        yield from wrap(finding.value, WIDTH, initial_indent=lead, subsequent_indent=rest, break_on_hyphens=False)
        if finding.remedy:
            # In one piece, whatever its length: it is there to be copied.
            yield f"      -> {finding.remedy}"


def memory_table(free: int | None) -> Iterator[str]:
    from logos_cli.quant.footprint import ANSWERS, footprints

    has = f"{free / 1e9:.1f} GB of memory are free here" if free else "free memory is unknown here"
    yield f"LOGOS-1B ({has})"
    yield f"  {'scheme':<18}{'file':>9}{'memory, 1 answer':>19}{f'{ANSWERS} answers':>14}   fits"
    for needs in footprints():
        fits = "?" if not free else "yes" if needs.batch < free else "few answers at once" if needs.single < free else "no"
        sizes = f"{needs.file / 1e9:>6.2f} GB{needs.single / 1e9:>16.2f} GB{needs.batch / 1e9:>11.2f} GB"
        yield f"  {needs.scheme:<18}{sizes}   {fits}"
