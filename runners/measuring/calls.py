"""Timing the calls of one arm: a network that is called, which is the baseline or a candidate."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runners.processes.progress import report_progress

Call = Callable[[], object]
Floats = NDArray[np.float64]
Now = Callable[[], float]
"""A clock: rising seconds."""

TURN_S = 0.010
"""An arm is called for about this long before the next one has its turn: shorter than most disturbances."""
UNTIMED_S = 0.002
"""A turn begins with untimed calls for so long: the threads of the arm before go on looking for work for a while."""


class Pass:
    """Several calls, one after the other, whose times differ, such as those with different inputs.

    Args:
        calls: Each is timed for itself.
    """

    def __init__(self, calls: Sequence[Call]) -> None:
        self._calls = calls

    def __call__(self) -> None:
        for call in self._calls:
            call()

    def times(self, now: Now) -> list[float]:
        """The seconds that each of the calls takes."""
        found = []
        for call in self._calls:
            begin = now()
            call()
            found.append(now() - begin)
        return found


@dataclass(frozen=True)
class Turn:
    """How many calls an arm makes when it has its turn.

    Attributes:
        untimed: The first ones, which wake the arm's threads and fill its caches: as many as fill `UNTIMED_S`.
        timed: Those after them: as many as fill `TURN_S`, at least one.
    """

    untimed: int
    timed: int


def warm_up(call: Call, seconds: float, now: Now = time.perf_counter) -> float:
    """Call for about ``seconds``, three times at least; the seconds that it took."""
    begin = now()
    time_calls(call, 3, now)
    while 0 < now() - begin < seconds:
        time_calls(call, 1, now)
    return now() - begin


def turn_of(call: Call, now: Now = time.perf_counter) -> Turn:
    """The `Turn` of a warm arm, from the time of three calls."""
    each = float(np.median(time_calls(call, 3, now).reshape(3, -1).sum(axis=1)))
    if each <= 0:
        return Turn(untimed=1, timed=1)
    return Turn(untimed=math.ceil(UNTIMED_S / each), timed=math.ceil(TURN_S / each))


def time_calls(call: Call, count: int, now: Now = time.perf_counter) -> Floats:
    """The seconds that each of ``count`` calls takes, ``(count,)``; of a `Pass` those of all, ``(count, calls)``."""
    if isinstance(call, Pass):
        return np.array([call.times(now) for _ in range(count)])
    times = np.empty(count)
    for index in range(count):
        begin = now()
        call()
        times[index] = now() - begin
    report_progress()
    return times
