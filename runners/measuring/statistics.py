"""The arithmetic of paired call times: the ratio of two sides, and its interval. Nothing here reads a clock.

What stands for a side is the 0.2nd percentile of all its calls, or the third-shortest of fewer: what others take only
ever adds time. Chosen by the spread (10th to 90th percentile, as a share of the median) of results over minutes, digits
teacher in eager fp32 against a quarter-width student in ONNX Runtime, 17 times as fast, on one core, the other quiet
and busy with matrix products in turn, from one trace of 430 s cut into windows:

    statistic                            1.2 s     3 s     6 s    12 s
    5th percentiles of all calls         9.4 %   7.7 %   7.1 %   5.2 %
    1st percentiles                      6.8 %   5.6 %   4.1 %   3.1 %
    0.2nd percentiles                    5.8 %   3.9 %   2.7 %   1.9 %
    third-shortest calls                 6.6 %   4.6 %   2.4 %   1.7 %
    shortest calls                       5.4 %   3.4 %   2.3 %   1.5 %
    median of the minima of 8 stretches  9.4 %   7.3 %   5.0 %   3.2 %

In an earlier trace of the same pair on a noisier day the median over blocks of medians spread by 49 % (standard
deviation / mean), of fast tenths by 6 %, and Hodges-Lehmann of the latter by 6 %. The shortest calls spread least, but
one wrong reading of the clock would decide them, of two sides the one with more calls has the luckier shortest, and no
bootstrap knows their error: of 200 runs that ended when it was small enough 33 left the true ratio out, and 11 where
the third-shortest stood for a side.

The bootstrap alone covered the median of the quiet 1.2 s windows in 47, 51, 46, 69 and 69 of 100 windows of 1.2, 3, 6,
20 and 60 s: a machine has regimes of seconds to minutes, in which a network that lives in memory slows down and a
small one does not, and a short run cannot see the next one. `regime_term` widens the interval by what the
disturbances within the run did to the ratio. Two sides alike, as in A/A, are disturbed alike: their intervals stay
narrow. `tests/benchmarks/measurement.py` measures what became of it.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FAST = 0.002
"""The quantile that stands for a side with many calls."""
BELOW = 2
"""So many calls are shorter than what stands for a side, at least."""
SEGMENTS = 48
"""At most so many stretches of time are drawn anew by the bootstrap."""
LOW_END = 0.2
"""The bootstrap looks closest at this share of the calls, the fastest."""
GRID = np.concatenate([np.linspace(0, LOW_END, 512), np.linspace(LOW_END, 1, 128)[1:]])
FLOOR = 0.01
"""Half-width, as a share, that no amount of data takes away."""
QUARTER = 0.25
DISTURBANCE = 2.9
"""A multiple of what happened within the window. With 2.3 the intervals of 96, 99, 100, 100 and 100 of 100 windows of
1.2, 3, 6, 20 and 60 s of that trace held its quiet value, but in an hour of longer regimes only 90 of 100 of 1.2 s."""
REGIME_S = 1.5
SEEN = 0.7
"""After so many seconds of timed calls a run sees another regime, about; with ``s`` seconds the largest errors of the
windows above, against the value of the whole trace, shrank like ``(REGIME_S / (REGIME_S + s)) ** SEEN``."""

SLOWER = (0.1, QUARTER)
APART = 5
"""What slows a side within a run is seen in these quantiles against its fast end, where so many times apart: two wander
less together."""
WHOLLY = 0.8
AT_MOST = 2.0
"""From so much of the baseline's own slowness on, a candidate is taken to share all of it; and at most so many times of
what it shows. A copy of the digits teacher showed 0.58 to 1.43 (10th to 90th percentile of windows of 2.5 s), and its
fast end moved by 0.79 to 1.27 of the logarithm by which the teacher's did; lowered to ONNX Runtime it showed 0.17 to
0.76 and moved by 0.04 to 0.19, its narrow student 0.09 to 0.30 and 0.01 to 0.06, a half-width network in eager mode
0.38 to 1.71 and 0.16 to 0.74: of the latter too little is taken away, and its interval says so."""


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
    excess: float = 0.0,
    known_s: float = 0.0,
) -> Ratio:
    """The ratio of the fast ends of two sides, of their call times in seconds, one array per block.

    Args:
        candidate: Call times of the one side.
        baseline: Those of the other.
        seed: Of the bootstrap.
        floor: Half-width, as a share, that is added whatever the data say.
        excess: Logarithm of the baseline's fast end over the shortest that is known of it. Of this excess, the part
            that the candidate does not share is taken away; the interval reaches from where it shares nothing to
            where it shares all that it well may.
        known_s: For how many seconds calls were timed before to find that shortest.
    """
    likely, most = shares(candidate, baseline) if excess else (1.0, 1.0)
    sampled = sampled_ratio(candidate, baseline, seed, likely)
    regime = np.hypot(floor, regime_term(candidate, baseline, known_s))
    down = np.hypot(np.log(sampled.value / sampled.low), regime) + likely * excess
    up = np.hypot(np.log(sampled.high / sampled.value), regime) + (most - likely) * excess
    value = sampled.value * np.exp((likely - 1) * excess)
    return Ratio(float(value), float(value * np.exp(-down)), float(value * np.exp(up)))


def shares(candidate: list[Floats], baseline: list[Floats]) -> tuple[float, float]:
    """How much of the baseline's slowness is the candidate's too, by what slowed both within the run: likely, at most.

    Each as an exponent from 0 to 1: where the baseline takes ``x`` times its shortest, the candidate takes ``x **
    share`` times its own.
    """
    calls, others, share = np.concatenate(candidate), np.concatenate(baseline), fast_share(candidate, baseline)
    looked_at = [at for at in SLOWER if at >= APART * share] or [QUARTER]
    slower = [_slower(calls, share, at) / max(_slower(others, share, at), 1e-9) for at in looked_at]
    return min(1.0, (min(slower) / WHOLLY) ** 2), min(1.0, AT_MOST * max(slower))


def _slower(calls: Floats, fast: float, at: float) -> float:
    """Logarithm of the quantile ``at`` of ``calls`` over the quantile ``fast``."""
    return float(np.log(np.quantile(calls, at) / np.quantile(calls, fast)))


def fast_end(calls: list[Floats]) -> float:
    """The time that stands for one side."""
    return float(np.quantile(np.concatenate(calls), fast_share(calls, calls)))


def fast_share(candidate: list[Floats], baseline: list[Floats]) -> float:
    """The quantile that stands for either of two sides."""
    fewest = min(sum(map(len, side)) for side in (candidate, baseline))
    return max(FAST, min(BELOW / fewest, LOW_END))


def regime_term(candidate: list[Floats], baseline: list[Floats], known_s: float = 0.0) -> float:
    """Half-width, in logarithms, for what the machine does at other times.

    It is `DISTURBANCE` times what separates the ratio of fast ends from that of fast quarters in the same calls
    (medians explode on shared cores), less as the run grows longer than a regime of the machine. Where the baseline was
    slowed more than the candidate, the ``known_s`` seconds count too in which the baseline was timed before.
    """
    calls, others = np.concatenate(candidate), np.concatenate(baseline)
    fast, slower = (_ratio_at(share, calls, others) for share in (fast_share(candidate, baseline), QUARTER))
    seconds = calls.sum() + others.sum() + (known_s if slower > fast else 0.0)
    unseen = (REGIME_S / (REGIME_S + seconds)) ** SEEN
    return float(unseen * DISTURBANCE * abs(np.log(slower / fast)))


def sampled_ratio(candidate: list[Floats], baseline: list[Floats], seed: int, weight: float = 1.0) -> Ratio:
    """The same ratio with what the bootstrap alone knows of its error; of the baseline's, only the share ``weight``.

    Consecutive blocks are drawn together (Künsch, 1989): a neighbour that comes and goes slows many blocks in a
    row, and they do not count as so many witnesses. The interval is widened for few segments as Student's
    distribution asks (Hesterberg, arXiv 1411.5279, section 4).
    """
    draws, share = _draws(len(candidate), seed), fast_share(candidate, baseline)
    fast, others = (float(np.quantile(np.concatenate(side), share)) for side in (candidate, baseline))
    value = others / fast
    errors = weight * np.log(_resampled(baseline, draws, share) / others)
    errors -= np.log(_resampled(candidate, draws, share) / fast)
    low, high = np.quantile(errors, [0.025, 0.975]) * student_widening(draws.shape[1])
    return Ratio(value, value * float(np.exp(min(0.0, low))), value * float(np.exp(max(0.0, high))))


def _ratio_at(share: float, calls: Floats, others: Floats) -> float:
    """Time of the ``others`` / time of the ``calls`` at the quantile ``share`` of either."""
    return float(np.quantile(others, share) / np.quantile(calls, share))


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
