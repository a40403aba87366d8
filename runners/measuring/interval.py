"""The speedup of a candidate and its 95 % interval, from the call times of two arms. Nothing here reads a clock.

Estimator: the ratio of the two estimates of `runners.measuring.estimator`.

Interval: a bootstrap over segments of consecutive blocks gives the sampling error. `runners.measuring.regimes` adds
what the machine does at other times.

Evidence: ``tests/benchmarks/measurement.py`` measures how often the intervals hold the true ratio.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from runners.measuring.estimator import MAX_LEVEL, Floats, estimate_s, quantile_level
from runners.measuring.regimes import regime_term

MAX_SEGMENTS = 48
"""Most segments that the bootstrap draws from."""
ROUNDS = 1000
GRID = np.concatenate([np.linspace(0, MAX_LEVEL, 512), np.linspace(MAX_LEVEL, 1, 128)[1:]])
"""The quantile levels between which call times are rounded in the bootstrap."""
FLOOR = 0.01
"""Half-width, as a share, that no amount of data takes away."""


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


def ratio(
    candidate: list[Floats],
    baseline: list[Floats],
    seed: int,
    floor: float = FLOOR,
) -> Ratio:
    """The ratio of the estimates of two arms with its interval.

    Args:
        candidate: Call times in seconds of the one arm, an array per block.
        baseline: Those of the other.
        seed: Of the bootstrap.
        floor: Half-width, as a share, that is added whatever the data say.
    """
    sampled = bootstrap_ratio(candidate, baseline, seed)
    value = sampled.value
    regime = np.hypot(floor, regime_term(candidate, baseline))
    down = np.hypot(np.log(sampled.value / sampled.low), regime)
    up = np.hypot(np.log(sampled.high / sampled.value), regime)
    return Ratio(float(value), float(value * np.exp(-down)), float(value * np.exp(up)))


def bootstrap_ratio(candidate: list[Floats], baseline: list[Floats], seed: int) -> Ratio:
    """The ratio of the estimates with the interval of the sampling error alone.

    Consecutive blocks are drawn together (Künsch, 1989), since a disturbance slows many blocks in a row and they are
    not independent. The interval is widened for few segments as Student's distribution asks (Hesterberg, arXiv
    1411.5279, section 4).
    """
    draws, level = _draws(len(candidate), seed), quantile_level(candidate, baseline)
    time, baseline_time = estimate_s(candidate, baseline), estimate_s(baseline, candidate)
    value = baseline_time / time
    errors = np.log(_resampled(baseline, draws, level) / baseline_time)
    errors -= np.log(_resampled(candidate, draws, level) / time)
    low, high = np.quantile(errors, [0.025, 0.975]) * student_widening(draws.shape[1])
    return Ratio(value, value * float(np.exp(min(0.0, low))), value * float(np.exp(max(0.0, high))))


def student_widening(count: int) -> float:
    """How much wider an interval from ``count`` independent values is than the normal one says."""
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, 0.975) / 1.959964 * np.sqrt(count / (count - 1)))


def _draws(blocks: int, seed: int) -> NDArray[np.float64]:
    """How often each segment of consecutive blocks is drawn, ``(ROUNDS, segments)``."""
    segments = min(blocks, MAX_SEGMENTS)
    return np.random.default_rng(seed).multinomial(segments, [1 / segments] * segments, ROUNDS).astype(np.float64)


def _resampled(blocks: list[Floats], draws: NDArray[np.float64], level: float) -> Floats:
    """The quantile at ``level`` in each round ``(ROUNDS,)``, from the segments' distribution functions on one grid."""
    segments = [np.concatenate(blocks[i:j]) for i, j in _bounds(len(blocks), draws.shape[1])]
    grid = np.quantile(np.concatenate(segments), GRID, method="inverted_cdf")
    below = np.stack([np.searchsorted(np.sort(calls), grid, side="right") for calls in segments])
    counts = draws @ below
    wanted = level * (draws @ np.array([len(calls) for calls in segments]))
    return np.asarray(grid[np.minimum(np.sum(counts < wanted[:, None], axis=1), len(GRID) - 1)])


def _bounds(blocks: int, segments: int) -> list[tuple[int, int]]:
    edges = np.linspace(0, blocks, segments + 1).round().astype(int)
    return list(pairwise(edges.tolist()))
