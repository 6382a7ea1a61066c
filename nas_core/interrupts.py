"""Ctrl-C once: end gently. Twice, or a termination signal: end at once. Both can be resumed."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(BaseException):
    """SIGTERM or SIGHUP arrived; like KeyboardInterrupt, no handler of errors may swallow it."""


@contextmanager
def gentle_interrupts(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first Ctrl-C, raise at the second, for as long as the block runs.

    Outside the main thread, where Python handles no signals, this does nothing.

    Raises:
        KeyboardInterrupt: Ctrl-C twice.
        Terminated: SIGTERM or SIGHUP.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = False

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        stop()

    def on_termination(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    handlers = {
        signal.SIGINT: on_interrupt,
        signal.SIGTERM: on_termination,
        signal.SIGHUP: on_termination,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held_interrupts() -> Iterator[None]:
    """Hold signals back until the block has ended: for libraries that swallow what handlers raise.

    Raises:
        BaseException: What the handler of a signal raises that arrived meanwhile.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: arrived.append(number))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for late in arrived:
            signal.raise_signal(late)
