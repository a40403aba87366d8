"""The speedup of a candidate and its 95 % interval, from the call times of two arms. Nothing here reads a clock.

The README beside this file says why.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from runners.measuring.calls import Floats

LEVELS = (0.01, 0.25, 0.5)
"""Quantile levels. The ratio of the quantiles at the first one is the estimate; the interval holds those at all."""
FLOOR = 0.01
"""Half-width, as a share, that no amount of data takes away: two copies of one network differ by as much."""
MAX_SEGMENTS = 24
"""Most segments of consecutive blocks that the bootstrap draws from."""
ROUNDS = 400


@dataclass(frozen=True)
class Ratio:
    """Baseline time / candidate time, and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval's width as a share of the value."""
        return (self.high - self.low) / 2 / self.value


def ratio(candidate: list[Floats], baseline: list[Floats], seed: int) -> Ratio:
    """The ratio of low quantiles of two arms, with its interval.

    The interval reaches beyond the ratio at every level by the sampling error and the floor. To the other side, the
    differences between the levels count as an error of unknown direction.

    Args:
        candidate: Call times in seconds of the one arm, an array per block.
        baseline: Those of the other, from the same blocks.
        seed: Of the bootstrap.
    """
    logs = np.log(np.quantile(np.concatenate(baseline), LEVELS) / np.quantile(np.concatenate(candidate), LEVELS))
    spread, errors = np.abs(logs - logs[0]).max(), np.hypot(sampling_errors(candidate, baseline, seed), FLOOR)
    low = max(logs[0] - logs.min() + errors[0], np.hypot(spread, errors[0]))
    high = max(logs.max() - logs[0] + errors[1], np.hypot(spread, errors[1]))
    return Ratio(float(np.exp(logs[0])), float(np.exp(logs[0] - low)), float(np.exp(logs[0] + high)))


def sampling_errors(candidate: list[Floats], baseline: list[Floats], seed: int) -> tuple[float, float]:
    """How far, as logarithms, the sampling error at 95 % reaches below and above the estimate.

    A bootstrap that draws segments of consecutive blocks (Künsch, 1989), since a disturbance slows many calls in a row,
    and they are not independent. It is widened for few segments as Student's distribution asks (Hesterberg, arXiv
    1411.5279, section 4); one segment says nothing.
    """
    segments = _segments(candidate, baseline)
    if len(segments) < 2:
        return np.inf, np.inf
    random = np.random.default_rng(seed)
    estimate = _log_ratio(candidate, baseline)
    errors = np.empty(ROUNDS)
    for index in range(ROUNDS):
        drawn = [segments[i] for i in random.integers(0, len(segments), len(segments))]
        errors[index] = _log_ratio([one for one, _ in drawn], [two for _, two in drawn]) - estimate
    low, high = np.quantile(errors, [0.025, 0.975]) * student_widening(len(segments))
    return max(0.0, float(-low)), max(0.0, float(high))


def student_widening(count: int) -> float:
    """How much wider an interval from ``count`` independent values is than the normal one says."""
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, 0.975) / 1.959964 * np.sqrt(count / (count - 1)))


def _log_ratio(candidate: list[Floats], baseline: list[Floats]) -> float:
    time, baseline_time = (_low_quantile(np.concatenate(arm)) for arm in (candidate, baseline))
    return float(np.log(baseline_time / time))


def _low_quantile(calls: Floats) -> float:
    """As ``np.quantile``, by a partial sort, which is several times as fast."""
    at = LEVELS[0] * (len(calls) - 1)
    below = int(at)
    low, high = np.partition(calls, [below, min(below + 1, len(calls) - 1)])[[below, min(below + 1, len(calls) - 1)]]
    return float(low + (at - below) * (high - low))


def _segments(candidate: list[Floats], baseline: list[Floats]) -> list[tuple[Floats, Floats]]:
    """The calls of both arms in each of at most `MAX_SEGMENTS` segments of consecutive blocks."""
    edges = np.linspace(0, len(candidate), min(len(candidate), MAX_SEGMENTS) + 1).round().astype(int).tolist()
    return [(np.concatenate(candidate[i:j]), np.concatenate(baseline[i:j])) for i, j in pairwise(edges)]
