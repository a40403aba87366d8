"""A process says that it gets on, so that one that hangs can be told from one that is slow."""

from collections.abc import Callable

_tell_progress: Callable[[], None] | None = None
"""What `report_progress` calls: in a fresh process it tells the caller."""


def report_progress() -> None:
    """Start the time limit of this process anew, where it has one."""
    if _tell_progress is not None:
        _tell_progress()


def tell_progress_to(listener: Callable[[], None] | None) -> None:
    """Let `report_progress` call ``listener``, or nothing."""
    global _tell_progress
    _tell_progress = listener
