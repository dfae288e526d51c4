"""gemmi, which reads structures, loaded where it is needed; and what is said of a structure that gives no row."""

from __future__ import annotations

from typing import Any

from logos_cli.errors import MissingDependency


class StructureError(ValueError):
    """A structure that gives no row; the message says why."""


def gemmi() -> Any:
    try:
        import gemmi as found
    except ImportError:
        raise MissingDependency(
            "structures are read by gemmi, which is not installed: pip install 'logos-cli[structure]', or pip install gemmi"
        ) from None
    return found
