"""Timing calls one by one: how long each takes, when an arm is warm, and how many calls it has in half a block."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runners.processes.fresh_process import report_progress

Call = Callable[[], object]

HALF_BLOCK_S = 0.010
MAX_CALLS = 32
"""Most timed calls of an arm in half a block; below that, as many as fill `HALF_BLOCK_S`."""
UNTIMED_CALLS = 2
"""Calls after each change of arms that are not timed: they wake the arm's threads and fill its caches. One is enough
where it takes as long as `HALF_BLOCK_S`."""
WINDOW_CALLS = (2, 5)
"""Fewest and most calls of a window of the warm-up."""
MIN_WINDOWS = 4
"""Least number of windows before a warm-up gives up, even where they take longer than its cap."""
MAX_WINDOWS = 10_000


@dataclass(frozen=True)
class Clock:
    """Where time comes from: ``now`` in rising seconds, and ``sleep``, which lets seconds pass."""

    now: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class HalfBlock:
    """How many calls an arm has in half a block: first those that are not timed, then those that are."""

    untimed: int
    timed: int


@dataclass(frozen=True)
class WarmUp:
    """How long a warm-up took in seconds, and whether the call times settled."""

    spent_s: float
    settled: bool


def warm_up(call: Call, cap_s: float, clock: Clock) -> WarmUp:
    """Call until the medians of two windows in a row agree within 10 %, or ``cap_s`` is spent."""
    first = time_calls(call, 1, clock)[0]
    spent, before = max(first, 0.0), math.inf
    size = int(np.clip(cap_s / MIN_WINDOWS / first, *WINDOW_CALLS)) if first > 0 else WINDOW_CALLS[1]
    for window in range(MAX_WINDOWS):
        if spent >= cap_s and window >= MIN_WINDOWS:
            break
        times = time_calls(call, size, clock)
        spent += sum(seconds for seconds in times if seconds > 0)
        now = float(np.median(times))
        if abs(now - before) <= 0.1 * before < math.inf:
            return WarmUp(spent, True)
        before = now
    return WarmUp(spent, False)


def half_block(call: Call, clock: Clock) -> HalfBlock:
    """The half-block that suits calls as long as this one."""
    each = float(np.median(time_calls(call, 3, clock)))
    timed = int(np.clip(math.ceil(HALF_BLOCK_S / each), 1, MAX_CALLS)) if each > 0 else MAX_CALLS
    return HalfBlock(1 if each >= HALF_BLOCK_S else UNTIMED_CALLS, timed)


def time_calls(call: Call, count: int, clock: Clock) -> list[float]:
    """The seconds that each of ``count`` calls takes."""
    times, now = [], clock.now
    for _ in range(count):
        begin = now()
        call()
        times.append(now() - begin)
    report_progress()
    return times
