"""Speedups and other contrasts of call times, with 95 % intervals. Nothing here reads a clock.

The README beside this file says why.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from runners.measuring.calls import Floats

LEVELS = (0.01, 0.25, 0.5)
"""Quantile levels: the ratio at the first one is the estimate, and those at the others widen its interval."""
LEAST_BELOW = 3
"""Of the arm with fewer calls at least so many are below its quantile, so that no single call decides it."""
FLOOR = 0.01
"""Half-width, as a share, that no amount of data takes away."""
MAX_SEGMENTS = 24
"""Most segments of consecutive blocks that the bootstrap draws from."""
ROUNDS = 400


@dataclass(frozen=True)
class Ratio:
    """Baseline time / candidate time, or another contrast of times, and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval's width as a share of the value."""
        return (self.high - self.low) / 2 / self.value


def ratio(candidate: list[Floats], baseline: list[Floats], seed: int) -> Ratio:
    """The ratio of low quantiles of two arms, with its interval: the `contrast` that divides one by the other.

    Args:
        candidate: Call times in seconds of the one arm, an array per block.
        baseline: Those of the other, from the same blocks.
        seed: Of the bootstrap.
    """
    return contrast([baseline, candidate], (1, -1), seed)


def contrast(arms: Sequence[list[Floats]], weights: Sequence[float], seed: int) -> Ratio:
    """The product of low quantiles of several arms, each to the power of its weight, with its interval.

    Its half-widths, as logarithms, are the roots of the sums of three squares: the sampling error, the largest
    difference between the estimate and the contrast at another level, and the floor.

    Args:
        arms: Call times in seconds of each arm, an array per block; all from the same blocks. Those of a
            `runners.measuring.calls.Pass` are ``(passes, calls)``: of each call the quantile is taken, and the mean of
            these.
        weights: The power of each arm; their sum is 0, so that the result has no unit.
        seed: Of the bootstrap.
    """
    levels = (_level(arms), *LEVELS[1:])
    logs = np.array([_log_contrast(arms, weights, level) for level in levels])
    widening = np.hypot(np.abs(logs - logs[0]).max(), FLOOR)
    below, above = np.hypot(sampling_errors(arms, weights, seed), widening)
    return Ratio(float(np.exp(logs[0])), float(np.exp(logs[0] - below)), float(np.exp(logs[0] + above)))


def sampling_errors(arms: Sequence[list[Floats]], weights: Sequence[float], seed: int) -> tuple[float, float]:
    """How far, as logarithms, the sampling error at 95 % of a contrast reaches below and above the estimate.

    A bootstrap that draws segments of consecutive blocks (Carlstein, 1986), since a disturbance slows many calls in a
    row, and they are not independent. It is widened for few segments as Student's distribution asks (Hesterberg, arXiv
    1411.5279, section 4); one segment says nothing.
    """
    segments, level = _segments(arms), _level(arms)
    if len(segments) < 2:
        return np.inf, np.inf
    random = np.random.default_rng(seed)
    estimate = _log_contrast(arms, weights, level)
    errors = np.empty(ROUNDS)
    for index in range(ROUNDS):
        drawn = [segments[i] for i in random.integers(0, len(segments), len(segments))]
        errors[index] = _log_contrast(list(zip(*drawn, strict=True)), weights, level) - estimate
    low, high = np.quantile(errors, [0.025, 0.975]) * student_widening(len(segments))
    return max(0.0, float(-low)), max(0.0, float(high))


def half_width_of_mean(values: Floats) -> float:
    """Half the width of the 95 % interval of Student for the mean of independent ``values``, of which there are two at
    least.
    """
    return student_factor(len(values)) * float(np.std(values, ddof=1)) / float(np.sqrt(len(values)))


def student_factor(count: int) -> float:
    """By how many standard deviations, estimated from ``count`` values, the 95 % interval reaches to either side."""
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, 0.975))


def student_widening(count: int) -> float:
    """How much wider an interval from ``count`` independent values is than the normal one says."""
    return float(student_factor(count) / 1.959964 * np.sqrt(count / (count - 1)))


def _level(arms: Sequence[Sequence[Floats]]) -> float:
    """The lowest level, the same for all arms: `LEVELS`' first, or the one above `LEAST_BELOW` of few calls."""
    fewest = min(sum(map(len, arm)) for arm in arms)
    return max(LEVELS[0], min(LEAST_BELOW / fewest, 0.25))


def _log_contrast(arms: Sequence[Sequence[Floats]], weights: Sequence[float], level: float) -> float:
    logs = np.log([_quantile(np.concatenate(arm), level).mean() for arm in arms])
    return float(np.dot(weights, logs))


def _quantile(values: Floats, level: float) -> Floats:
    """`np.quantile` along the first axis, several times as fast for the few values that the bootstrap draws."""
    place = level * (len(values) - 1)
    low = int(place)
    ordered = np.sort(values, axis=0)
    above: Floats = ordered[min(low + 1, len(values) - 1)]
    return np.asarray(ordered[low] + (place - low) * (above - ordered[low]))


def _segments(arms: Sequence[list[Floats]]) -> list[tuple[Floats, ...]]:
    """The calls of every arm in each of at most `MAX_SEGMENTS` segments of consecutive blocks."""
    blocks = len(arms[0])
    edges = np.linspace(0, blocks, min(blocks, MAX_SEGMENTS) + 1).round().astype(int).tolist()
    return [tuple(np.concatenate(arm[i:j]) for arm in arms) for i, j in pairwise(edges)]
