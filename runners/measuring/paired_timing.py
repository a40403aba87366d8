"""What the stopwatch says of one candidate: its figures, and every reason not to trust them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from runners.measuring.calls import Floats
from runners.measuring.interval import ratio

CALLS_FOR_P99 = 1000


@dataclass(frozen=True)
class Conditions:
    """Under what conditions a candidate was timed.

    Attributes:
        warm_up_s: Seconds of the candidate's warm-up.
        doubt: Why the machine was not as it should be, or an empty string.
        machine: What `runners.measuring.device_state.device_state` showed right after the last block, and the share of
            blocks that others ``disturbed``.
    """

    warm_up_s: float = 0.0
    doubt: str = ""
    machine: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PairedTiming:
    """What the stopwatch says of one candidate.

    Attributes:
        speedup: Baseline time / candidate time, by the estimator.
        speedup_ci95: Its 95 % interval.
        latency_p50_ms: Median time of one call of the candidate, of those that nobody disturbed.
        latency_p90_ms: 90th percentile of the same.
        latency_p99_ms: 99th percentile of all calls; None for fewer than `CALLS_FOR_P99`.
        baseline_p50_ms: Median time of one call of the baseline.
        blocks: Number of blocks that count.
        outliers: Calls of the candidate that took far longer than most; they are counted, and stay in all figures.
        baseline_outliers: Those of the baseline.
        warm_up_s: Seconds of the candidate's warm-up.
        unstable: Why not to trust it, or an empty string.
        machine: Clocks, throttling and load right after the last block, as far as they can be known, and the share of
            blocks that others ``disturbed``.
        batch: Inputs of one call.
        timed_inputs: The calls with different inputs over which it was timed, where its speed depends on them: the
            speedup is that of their mean time, and the latencies are the percentiles over these inputs.
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
    batch: int = 1
    timed_inputs: int = 1

    def to_json(self) -> dict[str, Any]:
        """The figures in plain JSON types."""
        return {**vars(self), "speedup_ci95": list(self.speedup_ci95)}

    @classmethod
    def from_json(cls, figures: Mapping[str, Any]) -> "PairedTiming":
        """The timing that `to_json` wrote; other keys may stand among ``figures``."""
        own = {entry.name: figures[entry.name] for entry in fields(cls)}
        return cls(**{**own, "speedup_ci95": tuple(own["speedup_ci95"])})


def summarise(
    candidate: list[Floats],
    baseline: list[Floats],
    seed: int,
    conditions: Conditions = Conditions(),
    every_call: Floats | None = None,
) -> PairedTiming:
    """The figures of call times in seconds, one array per block and arm.

    Args:
        candidate: The calls of the candidate that count; of a `runners.measuring.calls.Pass` ``(passes, calls)`` in
            each block.
        baseline: Those of the baseline.
        seed: Of the bootstrap.
        conditions: Under which they were timed.
        every_call: All calls of the candidate, disturbed ones too, if there are more: what is rare is seen in them.
    """
    speedup = ratio(candidate, baseline, seed)
    calls, baseline_calls = np.concatenate(candidate), np.concatenate(baseline)
    usual = np.median(calls, axis=0) if calls.ndim > 1 else calls
    median, p90 = np.quantile(usual, [0.5, 0.9]) * 1e3
    all_calls = calls if every_call is None else every_call
    return PairedTiming(
        speedup=speedup.value,
        speedup_ci95=(speedup.low, speedup.high),
        latency_p50_ms=float(median),
        latency_p90_ms=float(p90),
        latency_p99_ms=float(np.quantile(all_calls, 0.99) * 1e3) if all_calls.size >= CALLS_FOR_P99 else None,
        baseline_p50_ms=float(np.median(baseline_calls) * 1e3),
        blocks=len(candidate),
        outliers=count_outliers(calls),
        baseline_outliers=count_outliers(baseline_calls),
        warm_up_s=conditions.warm_up_s,
        unstable=conditions.doubt,
        machine=conditions.machine,
        timed_inputs=calls.shape[1] if calls.ndim > 1 else 1,
    )


def count_outliers(calls: Floats) -> int:
    """How many of ``calls`` are above the median by five standard deviations, estimated from the median deviation.

    The calls of a pass, ``(passes, calls)``, are each compared with its own median.
    """
    median = np.median(calls, axis=0)
    deviation = 1.4826 * np.median(np.abs(calls - median), axis=0)
    return int(np.sum(calls > median + np.maximum(5 * deviation, 0.01 * median)))


def joined(reasons: Iterable[str]) -> str:
    """All reasons in one line, of those that differ in their numbers alone the first; empty ones are left out."""
    parts = [part for reason in reasons for part in reason.split("; ") if part]
    firsts = {re.sub(r"\d+", "", part): part for part in reversed(parts)}
    return "; ".join(dict.fromkeys(firsts[re.sub(r"\d+", "", part)] for part in parts))
