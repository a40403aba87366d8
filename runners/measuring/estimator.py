"""The estimator of an arm's time: a low quantile of the times of its calls.

An arm is one of the networks that are timed together: the baseline or a candidate. The estimator is the 0.2nd
percentile of all call times of the arm, or the third-shortest of fewer than 1,000.

Assumption: other programs lengthen calls and never shorten them, so a low quantile depends on them least.

Evidence: the spread (10th to 90th percentile, as a share of the median) of the ratio of two arms over minutes. The arms
were the digits teacher in eager fp32 and a quarter-width student in ONNX Runtime, 17 times as fast, on one core; the
other core was idle and busy with matrix products by turns. One trace of 430 s was cut into windows:

    estimator                            1.2 s     3 s     6 s    12 s
    5th percentile of all calls          9.4 %   7.7 %   7.1 %   5.2 %
    1st percentile                       6.8 %   5.6 %   4.1 %   3.1 %
    0.2nd percentile                     5.8 %   3.9 %   2.7 %   1.9 %
    third-shortest call                  6.6 %   4.6 %   2.4 %   1.7 %
    minimum                              5.4 %   3.4 %   2.3 %   1.5 %
    median of the minima of 8 segments   9.4 %   7.3 %   5.0 %   3.2 %

In an earlier trace of the same pair with more disturbance, the median over blocks of medians spread by 49 % (standard
deviation / mean), of 10th percentiles by 6 %, and the Hodges-Lehmann estimate of the latter by 6 %.

The minimum spreads least and is not used: one wrong reading of the clock decides it, of two arms the one with more
calls has the lower expected minimum, and the bootstrap does not estimate its error. Of 200 runs that ended once the
interval was narrow enough, 33 intervals missed the true ratio with the minimum, and 11 with the third-shortest call.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVEL = 0.002
"""The quantile level of an arm with many calls."""
CALLS_BELOW = 2
"""Least number of calls that are shorter than the estimate."""
MAX_LEVEL = 0.2
"""The highest quantile level, for arms of few calls."""


def estimate_s(arm: list[Floats], other: list[Floats] | None = None) -> float:
    """The estimated time in seconds of a call of ``arm``, at the level that it shares with an ``other`` arm."""
    return float(np.quantile(np.concatenate(arm), quantile_level(arm, arm if other is None else other)))


def quantile_level(arm: list[Floats], other: list[Floats]) -> float:
    """The quantile level that suits both arms: that of the one with fewer calls."""
    fewest = min(sum(map(len, blocks)) for blocks in (arm, other))
    return max(LEVEL, min(CALLS_BELOW / fewest, MAX_LEVEL))


def total_s(*arms: list[Floats]) -> float:
    """How long all timed calls took."""
    return float(sum(calls.sum() for arm in arms for calls in arm))
