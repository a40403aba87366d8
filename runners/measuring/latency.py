"""The stopwatch: candidates and baseline in one process, in turn, and the ratio between them.

Numbers taken at different times are not compared: a shared machine changes its speed by the minute, and what it
does to one side of a block it does to the others. A block runs all sides in a random order and then in the
reverse of it (ABBA where there are two), so a drift within a block falls on all alike. What stands for a side, and
why, is told in `runners.measuring.statistics`.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from runners.measuring.energy import device_state, slowed
from runners.measuring.statistics import Circumstances, Floats, PairedTiming, ratio, summarise
from runners.processes import still_working
from runners.runner import StageFailed

Call = Callable[[], object]
Clock = Callable[[], float]

PRECISION = 0.01
"""Timing ends early once all intervals' half-widths, as a share, are below this but for their floor."""
SIDE_S = 0.010
REPEATS = (3, 32)
"""Fewest and most calls of a side in half a block; between them, as many as fill `SIDE_S`."""
LEAD_CALLS = 2
"""Calls after each change of sides that are not timed: they wake this side's threads and fill its caches."""
MINIMUM_BLOCKS = 12
FEWEST_BLOCKS = 3
MINIMUM_S = 0.3
LOOKS = 1.5
"""Between two looks at the intervals the time spent grows by this factor: looking often stops at lucky moments."""
OVERTIME = 3.0
"""How many times the budget a crawling machine may take to reach the minimum of blocks."""
FAULTY_BLOCKS = 100
"""After so many blocks in which the clock stepped back, no more are tried."""
WINDOW = 5
MOST_WINDOWS = 10_000


def time_pair(
    candidate: Call,
    baseline: Call,
    *,
    budget_s: float,
    seed: int,
    precision: float | None = PRECISION,
    clock: Clock = time.perf_counter,
) -> PairedTiming:
    """Time one candidate against the baseline; see `time_interleaved`."""
    return time_interleaved(baseline, [candidate], budget_s=budget_s, seed=seed, precision=precision, clock=clock)[0]


def time_interleaved(
    baseline: Call,
    candidates: Sequence[Call],
    *,
    budget_s: float,
    seed: int,
    precision: float | None = PRECISION,
    clock: Clock = time.perf_counter,
) -> list[PairedTiming]:
    """Time every candidate against the baseline, all in turn.

    It goes on to `MINIMUM_BLOCKS` blocks, but not beyond `OVERTIME` budgets, and makes `FEWEST_BLOCKS` at least.

    Args:
        baseline: What all are compared with.
        candidates: What to time, one at least.
        budget_s: Seconds for each candidate.
        seed: Seed of the orders and of the bootstrap.
        precision: Half-width, as a share of the speedup, at which all intervals are narrow enough to end before
            the budget is spent; None spends it.
        clock: Seconds, rising.

    Returns:
        One timing for each candidate, in their order.

    Raises:
        StageFailed: The clock gave too few usable blocks.
    """
    calls = [baseline, *candidates]
    warm = [_warm_up(call, budget_s / 8, clock) for call in calls]
    record = _Record([_repeats(call, clock) for call in calls], [[] for _ in calls])
    random, budget = np.random.default_rng(seed), budget_s * len(candidates)
    next_look = min(MINIMUM_S * len(candidates), budget)
    while record.faulty < FAULTY_BLOCKS and _more(record, budget):
        record.add(calls, random, clock)
        if precision is not None and record.spent_s >= next_look and record.blocks >= MINIMUM_BLOCKS:
            if _narrow(record.sides, precision, seed):
                break
            next_look = LOOKS * record.spent_s
    if record.blocks < FEWEST_BLOCKS:
        raise StageFailed(f"the clock stepped back {record.steps_back} times and left {record.blocks} usable blocks")
    throttled = slowed(device_state())
    met = [Circumstances(spent, good and warm[0][1], record.steps_back, throttled) for spent, good in warm[1:]]
    return [summarise(side, record.sides[0], seed, m) for side, m in zip(record.sides[1:], met, strict=True)]


@dataclass
class _Record:
    """The usable blocks so far: for each side one array of call times in seconds per block."""

    repeats: list[int]
    sides: list[list[Floats]]
    spent_s: float = 0.0
    steps_back: int = 0
    faulty: int = 0
    _longest_s: float = field(default=math.inf)

    @property
    def blocks(self) -> int:
        return len(self.sides[0])

    def add(self, calls: list[Call], random: np.random.Generator, clock: Clock) -> None:
        """Run one block. One in which the clock stepped back counts as faulty and is left out on all sides."""
        begin = clock()
        times = _run_block(calls, self.repeats, random, clock)
        self._spend(clock() - begin)
        back = sum(int(np.sum(~(np.isfinite(side) & (side > 0)))) for side in times)
        self.steps_back += back
        if back:
            self.faulty += 1
            return
        for side, block in zip(self.sides, times, strict=True):
            side.append(block)

    def _spend(self, passed_s: float) -> None:
        """Count a block's time, and of a pause no more than ten blocks' time: it is no reason to end early."""
        if math.isfinite(passed_s) and passed_s > 0:
            self.spent_s += min(passed_s, self._longest_s)
            self._longest_s = min(self._longest_s, 10 * passed_s)


def _run_block(calls: list[Call], repeats: list[int], random: np.random.Generator, clock: Clock) -> list[Floats]:
    times: list[list[float]] = [[] for _ in calls]
    order = random.permutation(len(calls)).tolist()
    for side in order + order[::-1]:
        _time_calls(calls[side], LEAD_CALLS, clock)
        times[side].extend(_time_calls(calls[side], repeats[side], clock))
    return [np.array(side) for side in times]


def _more(record: _Record, budget_s: float) -> bool:
    if record.spent_s < budget_s:
        return True
    return record.blocks < (MINIMUM_BLOCKS if record.spent_s < OVERTIME * budget_s else FEWEST_BLOCKS)


def _narrow(sides: list[list[Floats]], precision: float, seed: int) -> bool:
    return all(ratio(side, sides[0], seed, floor=0.0).half_width <= precision for side in sides[1:])


def _warm_up(call: Call, cap_s: float, clock: Clock) -> tuple[float, bool]:
    """Call until two windows in a row agree within 10 %: the seconds, and False when the cap came first."""
    spent, before = 0.0, math.inf
    for _ in range(MOST_WINDOWS):
        times = _time_calls(call, WINDOW, clock)
        spent += sum(seconds for seconds in times if seconds > 0)
        now = float(np.median(times))
        if abs(now - before) <= 0.1 * before < math.inf:
            return spent, True
        if spent >= cap_s:
            break
        before = now
    return spent, False


def _repeats(call: Call, clock: Clock) -> int:
    each = float(np.median(_time_calls(call, WINDOW, clock)))
    return int(np.clip(math.ceil(SIDE_S / each), *REPEATS)) if each > 0 else REPEATS[1]


def _time_calls(call: Call, count: int, clock: Clock) -> list[float]:
    times = []
    for _ in range(count):
        begin = clock()
        call()
        times.append(clock() - begin)
    still_working()
    return times
