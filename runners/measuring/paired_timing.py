"""What the stopwatch says of one candidate: its figures, and every reason not to trust them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from runners.measuring.estimator import Floats
from runners.measuring.interval import Ratio, ratio

WIDE_INTERVAL = 0.20
"""Half-width, as a share, beyond which an interval says little; a narrower one says how much to trust the value."""
BUSY = 2.0
"""A machine is busy where the median call takes more than this multiple of the 10th percentile."""
CALLS_FOR_P99 = 1000
PAUSE_S = 0.25
PAUSE_TIMES = 5.0
"""A call that takes `PAUSE_S` longer than the median call, and this multiple of it, was paused."""
CANDIDATE, BASELINE = "candidate", "baseline"


@dataclass(frozen=True)
class Conditions:
    """Under what conditions a candidate was timed.

    Attributes:
        warm_up_s: Seconds of the candidate's warm-up.
        unsettled: Of each arm whose warm-up did not settle before its cap, the seconds that it took.
        longest_untimed_s: The longest call of those that are not timed.
        backward_steps: Calls that took no time, or less, by the clock.
        slowed: Why the machine was slower than it can be, or an empty string.
        machine: What `runners.measuring.device_state.device_state` showed right after the last block.
    """

    warm_up_s: float = 0.0
    unsettled: Mapping[str, float] = field(default_factory=dict)
    longest_untimed_s: float = 0.0
    backward_steps: int = 0
    slowed: str = ""
    machine: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PairedTiming:
    """What the stopwatch says of one candidate.

    Attributes:
        speedup: Baseline time / candidate time, by the estimator.
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
        machine: Clocks, throttling and load right after the last block, as far as they can be known.
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

    def to_json(self) -> dict[str, Any]:
        """The figures in plain JSON types."""
        return {**vars(self), "speedup_ci95": list(self.speedup_ci95)}

    @classmethod
    def from_json(cls, figures: Mapping[str, Any]) -> "PairedTiming":
        """The timing that `to_json` wrote; other keys may stand among ``figures``."""
        own = {entry.name: figures[entry.name] for entry in fields(cls)}
        return cls(**{**own, "speedup_ci95": tuple(own["speedup_ci95"])})


def summarise(
    candidate: list[Floats], baseline: list[Floats], seed: int, conditions: Conditions = Conditions()
) -> PairedTiming:
    """The figures of call times in seconds, one array per block and arm."""
    speedup = ratio(candidate, baseline, seed)
    calls, baseline_calls = np.concatenate(candidate), np.concatenate(baseline)
    warnings = _warnings({CANDIDATE: calls, BASELINE: baseline_calls}, speedup, conditions)
    return PairedTiming(
        speedup=speedup.value,
        speedup_ci95=(speedup.low, speedup.high),
        latency_p50_ms=float(np.median(calls) * 1e3),
        latency_p90_ms=float(np.quantile(calls, 0.9) * 1e3),
        latency_p99_ms=float(np.quantile(calls, 0.99) * 1e3) if len(calls) >= CALLS_FOR_P99 else None,
        baseline_p50_ms=float(np.median(baseline_calls) * 1e3),
        blocks=len(candidate),
        outliers=count_outliers(calls),
        baseline_outliers=count_outliers(baseline_calls),
        warm_up_s=conditions.warm_up_s,
        unstable=joined(warnings),
        machine=conditions.machine,
    )


def count_outliers(calls: Floats) -> int:
    """How many of ``calls`` are above the median by five standard deviations, estimated from the median deviation."""
    median = np.median(calls)
    deviation = 1.4826 * np.median(np.abs(calls - median))
    return int(np.sum(calls > median + max(5 * deviation, 0.01 * median)))


def joined(reasons: Iterable[str]) -> str:
    """All reasons in one line, each once; empty ones are left out."""
    return "; ".join(dict.fromkeys(part for reason in reasons for part in reason.split("; ") if part))


def wide(half_width: float) -> str:
    """Words where an interval says little."""
    return f"the 95 % interval is +/-{half_width:.0%} wide" if half_width > WIDE_INTERVAL else ""


def _warnings(arms: Mapping[str, Floats], speedup: Ratio, conditions: Conditions) -> Iterator[str]:
    """Reasons not to trust a timing, the gravest first; empty strings among them."""
    yield f"the clock stepped back {conditions.backward_steps} times" if conditions.backward_steps else ""
    yield _pause(arms, conditions.longest_untimed_s)
    yield from (_busy(calls, arm) for arm, calls in arms.items())
    yield wide(speedup.half_width)
    for arm, seconds in conditions.unsettled.items():
        yield f"the warm-up of the {arm} did not settle in {seconds:.2g} s"
    yield conditions.slowed


def _pause(arms: Mapping[str, Floats], longest_untimed_s: float) -> str:
    """Words where a single call took so long that the process must have stood still, or the clock jumped."""
    longest = max(longest_untimed_s, *(float(calls.max()) for calls in arms.values()))
    usual = max(float(np.median(calls)) for calls in arms.values())
    if longest < usual + PAUSE_S or longest < PAUSE_TIMES * usual:
        return ""
    return f"the process was paused for {longest:.2g} s in the middle of a block, or the clock stepped forward"


def _busy(calls: Floats, arm: str) -> str:
    """Words where the median call took far longer than the 10th percentile, as when others use the cores."""
    typical = float(np.median(calls) / np.quantile(calls, 0.1))
    if typical <= BUSY:
        return ""
    return f"the machine was busy: the median call of the {arm} took {typical:.1f} times its 10th percentile"
