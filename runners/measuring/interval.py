"""The arithmetic of paired call times: the ratio of two sides, and its interval. Nothing here reads a clock.

What stands for a side is in `runners.measuring.estimator`, what is made of a machine's regimes in
`runners.measuring.regimes`; what becomes of both is measured by ``tests/benchmarks/measurement.py``.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from runners.measuring.deviation import Deviation
from runners.measuring.estimator import LOW_END, Floats, fast_end, fast_share, seconds_of
from runners.measuring.regimes import regime_term, shares

NOTHING_KNOWN = Deviation()

SEGMENTS = 48
"""At most so many stretches of time are drawn anew by the bootstrap."""
GRID = np.concatenate([np.linspace(0, LOW_END, 512), np.linspace(LOW_END, 1, 128)[1:]])
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
    deviation: Deviation = NOTHING_KNOWN,
) -> Ratio:
    """The ratio of the fast ends of two sides, of their call times in seconds, one array per block.

    Where it is known that the baseline can be faster than it was in this run, the part of its excess that the candidate
    does not share is taken away; the interval reaches from where it shares nothing to where it shares all that it well
    may.

    Args:
        candidate: Call times of the one side.
        baseline: Those of the other.
        seed: Of the bootstrap.
        floor: Half-width, as a share, that is added whatever the data say.
        deviation: How much longer the baseline took than the shortest time known of it.
    """
    likely, most = shares(candidate, baseline, deviation.log_excess) if deviation.log_excess else (1.0, 1.0)
    trust = deviation.known_s / (deviation.known_s + seconds_of(candidate, baseline))
    sampled = sampled_ratio(candidate, baseline, seed, weight=1 - trust * (1 - likely))
    regime = np.hypot(floor, regime_term(candidate, baseline, deviation.known_s))
    down = np.hypot(np.log(sampled.value / sampled.low), regime) + likely * deviation.log_excess
    up = np.hypot(np.log(sampled.high / sampled.value), regime) + (most - likely) * deviation.log_excess
    value = sampled.value * np.exp((likely - 1) * deviation.log_excess)
    return Ratio(float(value), float(value * np.exp(-down)), float(value * np.exp(up)))


def sampled_ratio(candidate: list[Floats], baseline: list[Floats], seed: int, weight: float = 1.0) -> Ratio:
    """The same ratio with what the bootstrap alone knows of its error; of the baseline's, only the share ``weight``.

    Consecutive blocks are drawn together (Künsch, 1989): a neighbour that comes and goes slows many blocks in a
    row, and they do not count as so many witnesses. The interval is widened for few segments as Student's
    distribution asks (Hesterberg, arXiv 1411.5279, section 4).
    """
    draws, share = _draws(len(candidate), seed), fast_share(candidate, baseline)
    fast, others = fast_end(candidate, baseline), fast_end(baseline, candidate)
    value = others / fast
    errors = weight * np.log(_resampled(baseline, draws, share) / others)
    errors -= np.log(_resampled(candidate, draws, share) / fast)
    low, high = np.quantile(errors, [0.025, 0.975]) * student_widening(draws.shape[1])
    return Ratio(value, value * float(np.exp(min(0.0, low))), value * float(np.exp(max(0.0, high))))


def student_widening(count: int) -> float:
    """How much wider an interval from ``count`` independent values is than the normal one says."""
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, 0.975) / 1.959964 * np.sqrt(count / (count - 1)))


def _draws(blocks: int, seed: int, rounds: int = 1000) -> NDArray[np.float64]:
    """How often each segment of consecutive blocks is drawn, ``(rounds, segments)``."""
    segments = min(blocks, SEGMENTS)
    return np.random.default_rng(seed).multinomial(segments, [1 / segments] * segments, rounds).astype(np.float64)


def _resampled(blocks: list[Floats], draws: NDArray[np.float64], share: float) -> Floats:
    """The quantile ``share`` in each round ``(rounds,)``, read off the segments' distribution functions on one grid."""
    segments = [np.concatenate(blocks[i:j]) for i, j in _bounds(len(blocks), draws.shape[1])]
    grid = np.quantile(np.concatenate(segments), GRID, method="inverted_cdf")
    below = np.stack([np.searchsorted(np.sort(calls), grid, side="right") for calls in segments])
    counts = draws @ below
    wanted = share * (draws @ np.array([len(calls) for calls in segments]))
    return np.asarray(grid[np.minimum(np.sum(counts < wanted[:, None], axis=1), len(GRID) - 1)])


def _bounds(blocks: int, segments: int) -> list[tuple[int, int]]:
    edges = np.linspace(0, blocks, segments + 1).round().astype(int)
    return list(pairwise(edges.tolist()))
