"""Ctrl-C while a call into C runs, which Python only hears of when the call is over."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


STOPS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(SystemExit):
    """A batch system's or a closed terminal's request to end, which ends a command as Ctrl-C does."""

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)
        self.exit_code = 128 + number
        super().__init__(self.exit_code)


def stopped(number: int, _: Any) -> None:
    """The handler of `STOPS`."""
    raise Stopped(number)


class Interrupt:
    """Whether Ctrl-C or a signal to stop came; llama.cpp's callbacks read it, since an exception raised in them is lost."""

    def __init__(self) -> None:
        self.came = False


@contextmanager
def deferred_interrupt() -> Iterator[Interrupt]:
    """Turn Ctrl-C and the signals of `stopped` into a flag while a C call runs; after it they are what they would have been,
    KeyboardInterrupt or Stopped."""
    state = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield state
        return

    first: list[int] = []

    def note(number: int, _: Any) -> None:
        state.came = True
        first.append(number)

    # What is ignored stays ignored: SIGINT in a script's background job, SIGHUP under nohup.
    handled = [number for number in (signal.SIGINT, *STOPS) if callable(signal.getsignal(number))]
    before = {number: signal.signal(number, note) for number in handled}
    try:
        yield state
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if first and first[0] in STOPS:
        raise Stopped(first[0])
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

    try:
        threading.Thread(target=run, daemon=True).start()
        return future.result()
    except BaseException:
        if not future.done():  # Ctrl-C, or the SystemExit of SIGTERM
            _left.set()
        raise


def left_behind() -> bool:
    """Whether a call into C may still run that Ctrl-C has left: the process is about to end and frees all."""
    return _left.is_set()
