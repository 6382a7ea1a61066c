"""Signals that arrive while a library runs which would swallow them."""

import signal
from contextlib import suppress

import pytest

from nas_core.interrupts import Terminated, gentle_interrupts, held_interrupts


def test_a_held_signal_arrives_after_the_block() -> None:
    done = []
    with gentle_interrupts(lambda: done.append("stop")):
        with pytest.raises(Terminated), held_interrupts():
            with suppress(BaseException):  # as a `return` in a `finally` does
                signal.raise_signal(signal.SIGTERM)
            done.append("block")
        assert done == ["block"]
        with held_interrupts():
            signal.raise_signal(signal.SIGINT)
            assert done == ["block"]
        assert done == ["block", "stop"]


def test_handlers_are_as_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with held_interrupts():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
