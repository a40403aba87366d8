"""What one way to serve gives at several rates of requests, and the rate at which it is used best."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runners.measuring.paired_timing import CALLS_FOR_P99


@dataclass(frozen=True)
class ServingWay:
    """One way to serve.

    Attributes:
        replicas: Processes side by side, among which requests are divided at random.
        threads: Threads of one call.
        batch: Most requests of one call.
        wait_ms: How long the first request of a call waits for others.
    """

    replicas: int
    threads: int
    batch: int = 1
    wait_ms: float = 0.0


@dataclass(frozen=True)
class LoadPoint:
    """What one way to serve gave at one rate.

    Attributes:
        rate_per_s: Requests that arrived in a second.
        requests: Their number in all.
        answered: The share of them that was answered before the rest was given up.
        mean_ms: Mean latency of a request, from its arrival to its answer; None where not all were answered.
        p50_ms: The median; None where half of them were not answered.
        p99_ms: The 99th percentile; None with more than 1 of 100 unanswered, or fewer than `CALLS_FOR_P99`.
        p99_range_ms: The lowest and the highest 99th percentile of the rounds; None as ``p99_ms``.
    """

    rate_per_s: float
    requests: int
    answered: float
    mean_ms: float | None
    p50_ms: float | None
    p99_ms: float | None
    p99_range_ms: tuple[float, float] | None

    @classmethod
    def of(cls, rate_per_s: float, rounds: Sequence[NDArray[np.float64]]) -> "LoadPoint":
        """From the latencies of each round in seconds, infinite where a request was not answered."""
        together = np.concatenate(rounds)
        p99 = _percentile_ms(together, 99) if len(together) >= CALLS_FOR_P99 else None
        ends = [_percentile_ms(each, 99) for each in rounds] if p99 is not None else []
        return cls(
            rate_per_s=rate_per_s,
            requests=len(together),
            answered=float(np.isfinite(together).mean()),
            mean_ms=float(together.mean()) * 1e3 if np.isfinite(together).all() else None,
            p50_ms=_percentile_ms(together, 50),
            p99_ms=p99,
            p99_range_ms=(min(known), max(known)) if (known := [end for end in ends if end is not None]) else None,
        )


@dataclass(frozen=True)
class LoadCurve:
    """One way to serve at all rates, the lowest first.

    Attributes:
        way: How it serves.
        capacity_per_s: Requests a second where each call follows the last one at once, with full batches.
        points: One for each rate.
    """

    way: ServingWay
    capacity_per_s: float
    points: tuple[LoadPoint, ...]

    @property
    def knee(self) -> LoadPoint | None:
        """The rate beyond which latency grows faster than what is answered; None where no rate was answered in full.

        It has the highest ratio of rate to mean latency, which is called power in Kleinrock, Power and deterministic
        rules of thumb for probabilistic problems in computer communications (1979).
        """
        full = [point for point in self.points if point.mean_ms]
        return max(full, key=power, default=None)

    def within(self, p99_ms: float) -> LoadPoint | None:
        """The highest rate with a 99th percentile of at most ``p99_ms``, as all lower rates have; None without one."""
        best = None
        for point in self.points:
            if point.p99_ms is None or point.p99_ms > p99_ms:
                break
            best = point
        return best


def power(point: LoadPoint) -> float:
    """Rate over mean latency, higher is better; 0 where not all requests were answered."""
    return point.rate_per_s / point.mean_ms if point.mean_ms else 0.0


def best_curve(curves: Sequence[LoadCurve], p99_ms: float | None) -> LoadCurve:
    """The way to serve with the highest rate within ``p99_ms``; without that, with the most power at its knee."""
    if p99_ms is not None:
        return max(curves, key=lambda curve: point.rate_per_s if (point := curve.within(p99_ms)) else 0.0)
    return max(curves, key=lambda curve: power(curve.knee) if curve.knee else 0.0)


def _percentile_ms(latencies: NDArray[np.float64], percent: float) -> float | None:
    value = float(np.percentile(latencies, percent, method="higher"))
    return value * 1e3 if np.isfinite(value) else None
