"""Ctrl-C while a call into C runs, which Python only hears of when the call is over."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class Interrupt:
    """Whether Ctrl-C came; llama.cpp's callbacks read it, since an exception raised inside them is lost."""

    def __init__(self) -> None:
        self.came = False


@contextmanager
def deferred_interrupt() -> Iterator[Interrupt]:
    """Turn Ctrl-C into a flag while a C call runs, and into KeyboardInterrupt after it."""
    state = Interrupt()
    # A script's background job has SIGINT ignored, and must go on ignoring it.
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield state
        return

    def note(*_: Any) -> None:
        state.came = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield state
    finally:
        signal.signal(signal.SIGINT, before)
    if state.came:
        raise KeyboardInterrupt


_left = threading.Event()


def heard(work: Callable[[], T]) -> T:
    """Do one long call into C in a thread, so that Ctrl-C is heard meanwhile. The call is then left to itself: nothing
    that it uses may be freed any more, see `left_behind`."""
    if threading.current_thread() is not threading.main_thread():
        return work()
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  # raised again where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return future.result()
    except BaseException:
        if not future.done():  # Ctrl-C, or the SystemExit of SIGTERM
            _left.set()
        raise


def left_behind() -> bool:
    """Whether a call into C may still run that Ctrl-C has left: the process is about to end and frees all."""
    return _left.is_set()
