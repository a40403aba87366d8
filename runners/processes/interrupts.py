"""Signals that end a process, handled like Ctrl-C."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupted_by(*names: str) -> Iterator[None]:
    """Raise `KeyboardInterrupt` in the block when one of these signals arrives; only for the main thread.

    Args:
        names: Names of signals, such as ``SIGTERM``; those that this system does not have are skipped.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
