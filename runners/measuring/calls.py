"""Calls one by one: how long each takes, until when they are warm, and how many make a turn."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runners.processes.fresh_process import report_progress

Call = Callable[[], object]
Clock = Callable[[], float]

SIDE_S = 0.010
MOST_REPEATS = 32
"""Most calls of a side in half a block; below that, as many as fill `SIDE_S`."""
LEAD_CALLS = 2
"""Calls after each change of sides that are not timed: they wake this side's threads and fill its caches. One is
enough where it takes as long as `SIDE_S`."""
WINDOW = (2, 5)
"""Fewest and most calls of a window of the warm-up."""
WINDOWS = (4, 10_000)
"""So many windows are waited for until two agree, even beyond the cap on their time; and never more than so many."""


@dataclass(frozen=True)
class Turn:
    """A side's turn, of which a block has two: so many calls that are not timed, and so many that are."""

    leads: int
    timed: int


@dataclass(frozen=True)
class WarmUp:
    """How long a warm-up took in seconds, and whether it settled."""

    spent_s: float
    settled: bool


def warm_up(call: Call, cap_s: float, clock: Clock) -> WarmUp:
    """Call until two windows in a row agree within 10 %, or ``cap_s`` is spent."""
    first = time_calls(call, 1, clock)[0]
    spent, before = max(first, 0.0), math.inf
    size = int(np.clip(cap_s / WINDOWS[0] / first, *WINDOW)) if first > 0 else WINDOW[1]
    for window in range(WINDOWS[1]):
        if spent >= cap_s and window >= WINDOWS[0]:
            break
        times = time_calls(call, size, clock)
        spent += sum(seconds for seconds in times if seconds > 0)
        now = float(np.median(times))
        if abs(now - before) <= 0.1 * before < math.inf:
            return WarmUp(spent, True)
        before = now
    return WarmUp(spent, False)


def turn_of(call: Call, clock: Clock) -> Turn:
    """The turn that suits calls as long as this one."""
    each = float(np.median(time_calls(call, WINDOW[0] + 1, clock)))
    timed = int(np.clip(math.ceil(SIDE_S / each), 1, MOST_REPEATS)) if each > 0 else MOST_REPEATS
    return Turn(1 if each >= SIDE_S else LEAD_CALLS, timed)


def time_calls(call: Call, count: int, clock: Clock) -> list[float]:
    """The seconds that each of ``count`` calls takes."""
    times = []
    for _ in range(count):
        begin = clock()
        call()
        times.append(clock() - begin)
    report_progress()
    return times
