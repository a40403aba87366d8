"""When a search has to come to an end."""

import time
from collections.abc import Callable

SETTLING_S = 10.0
SETTLING_EACH_S = 6.0
"""What the last measurements take: so long, and so long for the baseline and each member of the front."""


class Deadline:
    """Two ways to run out of time: no further trial begins, or the search must be over.

    Args:
        timeout_s: Seconds from now after which no trial begins, or None.
        time_budget_s: Seconds from now after which all must be done, the last measurements included, or None.
        clock: Seconds, rising.
    """

    def __init__(
        self, timeout_s: float | None, time_budget_s: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._last_start = clock() + timeout_s if timeout_s is not None else None
        self._end = clock() + time_budget_s if time_budget_s is not None else None

    def too_late(self, takes_s: float, front: int) -> bool:
        """Whether a trial that takes ``takes_s`` should not begin any more, with ``front`` members to measure after."""
        if self._last_start is not None and self._clock() >= self._last_start:
            return True
        return self._left_s(front) < takes_s

    def is_over(self, front: int) -> bool:
        """Whether what is under way must be left, because ``front`` members have to be measured."""
        return self._left_s(front) <= 0

    def _left_s(self, front: int) -> float:
        if self._end is None:
            return float("inf")
        return self._end - SETTLING_S - SETTLING_EACH_S * (1 + front) - self._clock()
