"""A server that tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Served, served


@pytest.fixture(scope="session")
def server(nano_int4: Path) -> Iterator[Served]:
    with served(nano_int4) as found:
        yield found
