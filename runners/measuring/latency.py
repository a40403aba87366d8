"""The paired stopwatch: candidate and baseline in one process, in turn, and the ratio between them.

Numbers taken at different times are not compared: a shared machine changes its speed by the minute, and what
it does to one side of a pair it does to the other. Calls run in randomised ABBA blocks, so a drift within a
block falls on both sides alike. Each side of a block is represented by its fast tenth: what other processes
take only ever adds time, and on two cores with both busy elsewhere the ratio of medians went up to 80 times the
quiet one where the ratio of fast tenths stayed within a tenth of it.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Call = Callable[[], object]
Clock = Callable[[], float]

BLOCK_S = 0.003
LEAD_CALLS = 2
"""Calls after each change of sides that are not timed: they wake this side's threads and fill its caches."""
MINIMUM_BLOCKS = 12
OVERTIME = 3.0
"""How many times the budget a crawling machine may take to reach the minimum of blocks."""
FAST = 0.1
WIDE_INTERVAL = 0.10
BUSY = 2.0


@dataclass(frozen=True)
class PairedTiming:
    """What the stopwatch says.

    Attributes:
        speedup: Median over blocks of baseline time / candidate time, each the fast tenth of its calls.
        speedup_ci95: Its bootstrap 95 % interval.
        latency_p50_ms: Median time of one call of the candidate.
        latency_p90_ms: 90th percentile of the same.
        baseline_p50_ms: Median time of one call of the baseline.
        blocks: Number of ABBA blocks.
        unstable: Why not to trust it, or an empty string.
    """

    speedup: float
    speedup_ci95: tuple[float, float]
    latency_p50_ms: float
    latency_p90_ms: float
    baseline_p50_ms: float
    blocks: int
    unstable: str


def time_pair(
    candidate: Call, baseline: Call, *, budget_s: float, seed: int, clock: Clock = time.perf_counter
) -> PairedTiming:
    """Time ``candidate`` against ``baseline`` for about ``budget_s`` seconds.

    It goes on to `MINIMUM_BLOCKS` blocks, but not beyond `OVERTIME` budgets, and makes three blocks at least.
    """
    steady = [_warm_up(call, budget_s / 8, clock) for call in (candidate, baseline)]
    repeats = [_repeats(call, clock) for call in (candidate, baseline)]
    random = np.random.default_rng(seed)
    sides: tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] = ([], [])
    begin = clock()
    while _more(clock() - begin, len(sides[0]), budget_s):
        order = (0, 1, 1, 0) if random.random() < 0.5 else (1, 0, 0, 1)
        block: tuple[list[float], list[float]] = ([], [])
        for side in order:
            call = (candidate, baseline)[side]
            _time_calls(call, LEAD_CALLS, clock)
            block[side].extend(_time_calls(call, repeats[side], clock))
        for side in (0, 1):
            sides[side].append(np.array(block[side]))
    return summarise(sides[0], sides[1], seed, steady=all(steady))


def _more(passed_s: float, blocks: int, budget_s: float) -> bool:
    if passed_s < budget_s:
        return True
    return blocks < (MINIMUM_BLOCKS if passed_s < OVERTIME * budget_s else 3)


def summarise(
    candidate: list[NDArray[np.float64]], baseline: list[NDArray[np.float64]], seed: int, *, steady: bool = True
) -> PairedTiming:
    """The figures of blocks of call times in seconds, one array per block and side; pure arithmetic."""
    ratios = np.array([np.quantile(b, FAST) / np.quantile(a, FAST) for a, b in zip(candidate, baseline, strict=True)])
    low, high = bootstrap_median(ratios, seed)
    calls, others = np.concatenate(candidate), np.concatenate(baseline)
    speedup = float(np.median(ratios))
    return PairedTiming(
        speedup=speedup,
        speedup_ci95=(low, high),
        latency_p50_ms=float(np.median(calls) * 1e3),
        latency_p90_ms=float(np.quantile(calls, 0.9) * 1e3),
        baseline_p50_ms=float(np.median(others) * 1e3),
        blocks=len(ratios),
        unstable=_doubt(speedup, low, high, steady) or _busy(calls, "candidate") or _busy(others, "baseline"),
    )


def bootstrap_median(values: NDArray[np.float64], seed: int, rounds: int = 1000) -> tuple[float, float]:
    """The 95 % interval of the median of ``values`` ``(n,)``, by the expanded percentile bootstrap.

    The plain percentile interval (Efron, 1979) is too narrow for few blocks; taking it at the level that
    Student's distribution asks for mends that (Hesterberg, arXiv 1411.5279, section 4).
    """
    from scipy.special import ndtr, stdtrit

    n = len(values)
    random = np.random.default_rng(seed)
    medians = np.median(values[random.integers(0, n, (rounds, n))], axis=1)
    tail = float(ndtr(-np.sqrt(n / (n - 1)) * stdtrit(n - 1, 0.975)))
    low, high = np.quantile(medians, [tail, 1 - tail])
    return float(low), float(high)


def _doubt(speedup: float, low: float, high: float, steady: bool) -> str:
    half = (high - low) / 2 / speedup
    if half > WIDE_INTERVAL:
        return f"the 95 % interval is +/-{half:.0%} wide"
    return "" if steady else "the warm-up did not settle"


def _busy(calls: NDArray[np.float64], which: str) -> str:
    """Words where half of the calls took far longer than the fast tenth, as when others use the cores."""
    typical = float(np.median(calls) / np.quantile(calls, FAST))
    return f"the machine was busy: the {which} took {typical:.1f} times its fast tenth" if typical > BUSY else ""


def _warm_up(call: Call, cap_s: float, clock: Clock) -> bool:
    """Call until two windows in a row agree within 10 %; False when the cap came first."""
    end, before = clock() + cap_s, math.inf
    while clock() < end:
        now = float(np.median(_time_calls(call, 5, clock)))
        if abs(now - before) <= 0.1 * before:
            return True
        before = now
    return False


def _repeats(call: Call, clock: Clock) -> int:
    """Calls in one block side: long enough to beat the clock, at least three."""
    each = float(np.median(_time_calls(call, 5, clock)))
    return max(3, math.ceil(BLOCK_S / max(each, 1e-7)))


def _time_calls(call: Call, count: int, clock: Clock) -> list[float]:
    times = []
    for _ in range(count):
        begin = clock()
        call()
        times.append(clock() - begin)
    return times
