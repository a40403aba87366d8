"""What stands for one side of a pair: the fast end of its calls.

It is the 0.2nd percentile of all its calls, or the third-shortest of fewer: what others take only ever adds time.
Chosen by the spread (10th to 90th percentile, as a share of the median) of results over minutes, digits teacher in
eager fp32 against a quarter-width student in ONNX Runtime, 17 times as fast, on one core, the other quiet and busy with
matrix products in turn, from one trace of 430 s cut into windows:

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
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FAST = 0.002
"""The quantile that stands for a side with many calls."""
BELOW = 2
"""So many calls are shorter than what stands for a side, at least."""
LOW_END = 0.2
"""Of few calls, no quantile above this one."""


def fast_end(calls: list[Floats], beside: list[Floats] | None = None) -> float:
    """The time in seconds that stands for one side, alone or ``beside`` another."""
    return float(np.quantile(np.concatenate(calls), fast_share(calls, calls if beside is None else beside)))


def fast_share(candidate: list[Floats], baseline: list[Floats]) -> float:
    """The quantile that stands for either of two sides."""
    fewest = min(sum(map(len, side)) for side in (candidate, baseline))
    return max(FAST, min(BELOW / fewest, LOW_END))


def seconds_of(*sides: list[Floats]) -> float:
    """How long all timed calls took."""
    return float(sum(calls.sum() for side in sides for calls in side))
