"""Items read ahead by a thread: all of them, in order, errors in their place, no more than were agreed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from processes import PATIENCE

from logos_cli.system.read_ahead import Ahead


def test_all_items_in_order_and_the_end() -> None:
    assert list(Ahead(range(1000))) == list(range(1000))
    nothing = Ahead[int]([])
    nothing.wait()
    assert nothing.ready() and nothing.only_one(0) and list(nothing) == []


def test_an_error_comes_after_what_was_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the third")

    source = Ahead(items())
    source.wait()
    assert not source.only_one(5)
    assert [next(source), next(source)] == [1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(source)

    def broken() -> Iterator[int]:
        raise ValueError("at once")
        yield 0

    with pytest.raises(ValueError, match="at once"):
        Ahead(broken()).wait()


def test_it_does_not_read_far_ahead_nor_after_it_is_closed() -> None:
    read: list[int] = []

    def items() -> Iterator[int]:
        for i in range(10_000):
            read.append(i)
            yield i

    source = Ahead(items(), most=10)
    assert [next(source) for _ in range(5)] == [0, 1, 2, 3, 4]
    time.sleep(0.05)
    assert len(read) <= 25
    source.close()
    threads = threading.active_count()
    time.sleep(0.05)
    assert len(read) <= 25 and threading.active_count() <= threads


def test_what_is_not_there_yet() -> None:
    more = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        more.wait(PATIENCE)
        yield 2

    source = Ahead(items())
    source.wait()
    assert not source.only_one(0.05), "it may yet give more"
    assert source.ready() and next(source) == 1
    assert not source.ready()
    more.set()
    assert next(source) == 2

    alone = Ahead([1])
    alone.wait()
    assert alone.only_one(5) and list(alone) == [1]
