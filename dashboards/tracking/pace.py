"""Work that may take a small share of the time: what took long is not done again soon."""

import time
from types import TracebackType

SHARE = 0.01


class Pace:
    """Says when work is due that shall take at most one hundredth of the time; the block of ``with`` is the work."""

    def __init__(self) -> None:
        self._began = 0.0
        self._due = 0.0

    def is_due(self) -> bool:
        """Whether the work may be done now; the first time it may."""
        return time.monotonic() >= self._due

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        now = time.monotonic()
        self._due = now + (now - self._began) / SHARE
