"""A signal that ends a process arrives as `KeyboardInterrupt`, and only inside the block."""

import signal

import pytest

from runners.processes.interrupts import interrupted_by


def test_a_named_signal_raises_keyboard_interrupt_and_the_old_handler_comes_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interrupted_by("SIGTERM"):
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_that_this_system_does_not_have_is_skipped() -> None:
    with interrupted_by("SIGNOTHING"):
        pass
