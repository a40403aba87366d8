"""When a search has to come to an end."""

import time
from collections.abc import Callable

FINAL_MEASUREMENT_S = 8.0
FINAL_MEASUREMENT_EACH_S = 4.5
"""The final measurement takes the first, and the second for the baseline and each member of a front of small networks:
five members took 32 s on two cores where a measurement of the search took 2 s."""
TIMING_S = 3.0
"""What a measurement of the search takes beyond this is evaluating its one split."""
FINAL_SPLITS = 3
"""The final measurement evaluates so many splits."""


def final_measurement_s(front: int, measuring_s: float) -> float:
    """Seconds that the final measurement of a front takes.

    Args:
        front: The number of its members.
        measuring_s: What a measurement of the search takes.
    """
    evaluating_s = FINAL_SPLITS * max(0.0, measuring_s - TIMING_S)
    return FINAL_MEASUREMENT_S + (FINAL_MEASUREMENT_EACH_S + evaluating_s) * (1 + front)


class TimeLimits:
    """Two ways to run out of time: no further trial begins, or the search must be over.

    Args:
        timeout_s: Seconds from now after which no trial begins, or None.
        time_budget_s: Seconds from now after which all must be done, the final measurement included, or None.
        clock: Seconds, rising.
    """

    def __init__(
        self, timeout_s: float | None, time_budget_s: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._last_start = clock() + timeout_s if timeout_s is not None else None
        self._end = clock() + time_budget_s if time_budget_s is not None else None

    def too_late(self, takes_s: float, final_measurement_s: float) -> bool:
        """Whether no trial of ``takes_s`` may begin, with ``final_measurement_s`` needed after it."""
        return self.starts_have_ended() or self._left_s(final_measurement_s) < takes_s

    def starts_have_ended(self) -> bool:
        """Whether the time is over in which trials begin, however short they are."""
        return self._last_start is not None and self._clock() >= self._last_start

    def is_over(self, final_measurement_s: float) -> bool:
        """Whether what is under way must be left, because the final measurement takes ``final_measurement_s``."""
        return self._left_s(final_measurement_s) <= 0

    def _left_s(self, final_measurement_s: float) -> float:
        return float("inf") if self._end is None else self._end - final_measurement_s - self._clock()
