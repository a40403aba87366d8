"""How long the trials of a search will still take, and how sure that is."""

import statistics
import time
from collections.abc import Callable
from itertools import pairwise

LEAST_GAPS = 3
"""Times from one trial's end to the next that are needed to say how sure an estimate is."""


class TrialCount:
    """The number of finished trials, and an estimate of the time that the others will take.

    The estimate is the mean time of the trials of this session. It leaves out the first trial of a study, which
    trains the teacher too. The range around it takes the times from one end to the next for independent: it is two
    standard deviations of the sum of those to come, with the error of their mean.

    Args:
        clock: The time in seconds.

    Attributes:
        total: How many trials there will be, or None.
        done: How many are finished.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.total: int | None = None
        self.done = 0
        self.start(None, 0)

    def start(self, total: int | None, done: int) -> None:
        """Begin anew, with ``done`` finished trials of ``total``."""
        self._started = self._clock()
        self.total, self.done = total, done
        self._ends = [self._started]

    def add(self) -> None:
        """Count a trial that ends now."""
        self.done += 1
        self._ends = [self._clock()] if self.done == 1 else [*self._ends, self._clock()]

    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    def left_s(self) -> float | None:
        """Estimated seconds until all trials are done, or None where nothing can be estimated."""
        counted = len(self._ends) - 1
        if not counted or self.total is None:
            return None
        return (self._clock() - self._ends[0]) / counted * self._more()

    def likely_s(self) -> tuple[float, float] | None:
        """Between how many seconds from now all trials will likely be done; None with fewer than `LEAST_GAPS`."""
        left_s, gaps = self.left_s(), [after - before for before, after in pairwise(self._ends)]
        if left_s is None or len(gaps) < LEAST_GAPS or not self._more():
            return None
        more = self._more()
        half = 2 * statistics.stdev(gaps) * (more * (1 + more / len(gaps))) ** 0.5
        return max(0.0, left_s - half), left_s + half

    def left_text(self) -> str:
        """``about 2 min 05 s left (1 min 30 s to 2 min 40 s)``; of few trials how many they are; or empty."""
        left_s, counted = self.left_s(), len(self._ends) - 1
        if not left_s:
            return ""
        likely = self.likely_s()
        trials = "1 trial" if counted == 1 else f"{counted} trials"
        sure = f"judged by {trials}" if likely is None else f"{duration(likely[0])} to {duration(likely[1])}"
        return f"about {duration(left_s)} left ({sure})"

    def likely_text(self) -> str:
        """``likely 1 min 30 s to 2 min 40 s for the trials``, or empty."""
        likely = self.likely_s()
        return f"likely {duration(likely[0])} to {duration(likely[1])} for the trials" if likely else ""

    def text(self) -> str:
        """``3 of 18``, or ``3`` where there is no total."""
        return str(self.done) if self.total is None else f"{self.done} of {self.total}"

    def _more(self) -> int:
        return max(0, (self.total or 0) - self.done)


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 05 s`` or ``2 h 10 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
