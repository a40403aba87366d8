"""What the stopwatch says of one candidate: its figures, and every reason not to trust them."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from runners.measuring.deviation import BaselineMinimum, Deviation, by_machine
from runners.measuring.estimator import Floats
from runners.measuring.interval import Ratio, ratio

WIDE_INTERVAL = 0.20
"""Half-width, as a share, beyond which an interval says little; a narrower one says how much to trust the value."""
BUSY = 2.0
CALLS_FOR_P99 = 1000
PAUSE_S = 0.25
PAUSE_TIMES = 5.0
CANDIDATE, BASELINE = "candidate", "baseline"


@dataclass(frozen=True)
class Circumstances:
    """What the stopwatch met with besides the usable call times.

    Attributes:
        warm_up_s: Seconds of the candidate's warm-up.
        unsettled: Of each side whose warm-up did not settle before its cap, the seconds that it took.
        longest_lead_s: The longest call of those that are not timed.
        steps_back: Calls that took no time, or less, by the clock.
        slowed: Why the machine was slower than it can be, or an empty string.
        machine: What `runners.measuring.energy.device_state` showed right after the last block.
        deviation: How much longer the baseline took than the shortest time known of it.
        minimum: The baseline's time in this run; empty where that was not asked for or cannot be trusted.
    """

    warm_up_s: float = 0.0
    unsettled: Mapping[str, float] = field(default_factory=dict)
    longest_lead_s: float = 0.0
    steps_back: int = 0
    slowed: str = ""
    machine: Mapping[str, Any] = field(default_factory=dict)
    deviation: Deviation = field(default_factory=Deviation)
    minimum: BaselineMinimum = field(default_factory=BaselineMinimum)


@dataclass(frozen=True)
class PairedTiming:
    """What the stopwatch says of one candidate.

    Attributes:
        speedup: Baseline time / candidate time, each the fast end of its calls.
        speedup_ci95: Its 95 % interval.
        latency_p50_ms: Median time of one call of the candidate.
        latency_p90_ms: 90th percentile of the same.
        latency_p99_ms: 99th percentile of the same; None for fewer than `CALLS_FOR_P99` calls.
        baseline_p50_ms: Median time of one call of the baseline.
        blocks: Number of blocks.
        outliers: Calls of the candidate that took far longer than most; they are counted, and stay in all figures.
        baseline_outliers: Those of the baseline.
        warm_up_s: Seconds of the candidate's warm-up.
        unstable: Why not to trust it, or an empty string.
        machine: Clocks, throttling and load right after the last block, as far as they can be known; and, where a
            shorter time of the baseline is known, by how much it took longer, as the share ``baseline_excess``.
        baseline_minimum: The baseline's time in this run, for those after it; empty where that was not asked for.
    """

    speedup: float
    speedup_ci95: tuple[float, float]
    latency_p50_ms: float
    latency_p90_ms: float
    latency_p99_ms: float | None
    baseline_p50_ms: float
    blocks: int
    outliers: int
    baseline_outliers: int
    warm_up_s: float
    unstable: str
    machine: Mapping[str, Any]
    baseline_minimum: BaselineMinimum

    def to_json(self) -> dict[str, Any]:
        """The fields in types that JSON has; in place of ``baseline_minimum``, ``baseline_minima`` by machine."""
        fields = {name: value for name, value in vars(self).items() if name != "baseline_minimum"}
        return {**fields, "baseline_minima": by_machine(self.baseline_minimum)}


def summarise(
    candidate: list[Floats], baseline: list[Floats], seed: int, met: Circumstances = Circumstances()
) -> PairedTiming:
    """The figures of blocks of call times in seconds, one array per block and side."""
    speedup = ratio(candidate, baseline, seed, deviation=met.deviation)
    calls, others = np.concatenate(candidate), np.concatenate(baseline)
    sides = {CANDIDATE: calls, BASELINE: others}
    return PairedTiming(
        speedup=speedup.value,
        speedup_ci95=(speedup.low, speedup.high),
        latency_p50_ms=float(np.median(calls) * 1e3),
        latency_p90_ms=float(np.quantile(calls, 0.9) * 1e3),
        latency_p99_ms=float(np.quantile(calls, 0.99) * 1e3) if len(calls) >= CALLS_FOR_P99 else None,
        baseline_p50_ms=float(np.median(others) * 1e3),
        blocks=len(candidate),
        outliers=count_outliers(calls),
        baseline_outliers=count_outliers(others),
        warm_up_s=met.warm_up_s,
        unstable=joined(_doubts(sides, speedup, met)),
        machine={**met.machine, **_baseline_excess(met.deviation)},
        baseline_minimum=met.minimum,
    )


def _baseline_excess(deviation: Deviation) -> dict[str, float]:
    return {"baseline_excess": round(math.expm1(deviation.log_excess), 4)} if deviation.log_excess else {}


def count_outliers(calls: Floats) -> int:
    """How many of ``calls`` lie beyond the median by five standard deviations, judged by the median deviation."""
    median = np.median(calls)
    deviation = 1.4826 * np.median(np.abs(calls - median))
    return int(np.sum(calls > median + max(5 * deviation, 0.01 * median)))


def joined(doubts: Iterable[str]) -> str:
    """All doubts in one line, each once; empty ones are left out."""
    return "; ".join(dict.fromkeys(part for doubt in doubts for part in doubt.split("; ") if part))


def wide(half_width: float) -> str:
    """Words where an interval says little."""
    return f"the 95 % interval is +/-{half_width:.0%} wide" if half_width > WIDE_INTERVAL else ""


def _doubts(sides: dict[str, Floats], speedup: Ratio, met: Circumstances) -> Iterator[str]:
    """Reasons not to trust a timing, the gravest first; empty strings among them."""
    yield f"the clock stepped back {met.steps_back} times" if met.steps_back else ""
    yield _pause(sides, met.longest_lead_s)
    yield from (_busy(calls, which) for which, calls in sides.items())
    yield wide(speedup.half_width)
    yield from (f"the warm-up of the {which} did not settle in {s:.2g} s" for which, s in met.unsettled.items())
    yield met.slowed


def _pause(sides: Mapping[str, Floats], longest_lead_s: float) -> str:
    """Words where a single call took so long that the process must have stood still, or the clock jumped."""
    longest = max(longest_lead_s, *(float(calls.max()) for calls in sides.values()))
    usual = max(float(np.median(calls)) for calls in sides.values())
    if longest < usual + PAUSE_S or longest < PAUSE_TIMES * usual:
        return ""
    return f"the process was paused for {longest:.2g} s in the middle of a block, or the clock stepped forward"


def _busy(calls: Floats, which: str) -> str:
    """Words where half of the calls took far longer than the fast tenth, as when others use the cores."""
    typical = float(np.median(calls) / np.quantile(calls, 0.1))
    return f"the machine was busy: the {which} took {typical:.1f} times its fast tenth" if typical > BUSY else ""
