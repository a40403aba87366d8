"""What a machine's regimes do to a ratio that was measured in one of them.

A regime is a period of seconds to minutes in which a shared machine slows some networks more than others: one that
reads much memory takes longer, and a small one does not.

`regime_term` widens an interval for the regimes that a short run cannot see. Assumption: they change the ratio like the
disturbances within the run. Two arms that are disturbed alike, as in A/A, keep narrow intervals. Evidence: of 100
windows of 1.2, 3, 6, 20 and 60 s, the intervals of the bootstrap alone held the median ratio of the undisturbed 1.2 s
windows in 47, 51, 46, 69 and 69.
"""

import numpy as np

from runners.measuring.estimator import Floats, quantile_level, total_s

QUARTILE = 0.25
WIDENING = 2.9
"""What `regime_term` multiplies the disturbance within a run by. With 2.3 the intervals of 96, 99, 100, 100 and 100 of
100 windows of 1.2, 3, 6, 20 and 60 s of that trace held the undisturbed ratio, but in an hour of longer regimes only 90
of 100 of 1.2 s."""
REGIME_S = 1.5
DECAY = 0.7
"""With ``s`` seconds of timed calls the largest errors of the windows above, against the ratio of the whole trace,
shrank like ``(REGIME_S / (REGIME_S + s)) ** DECAY``."""


def regime_term(candidate: list[Floats], baseline: list[Floats]) -> float:
    """Half-width, in logarithms, for what the machine does at other times.

    It is `WIDENING` times the difference between the ratio of the estimates and the ratio of the lower quartiles, less
    the longer the run is. (Medians explode on shared cores.)
    """
    level = quantile_level(candidate, baseline)
    slow, baseline_slow = (_slowness(np.concatenate(arm), level, QUARTILE) for arm in (candidate, baseline))
    unseen = (REGIME_S / (REGIME_S + total_s(candidate, baseline))) ** DECAY
    return float(unseen * WIDENING * abs(baseline_slow - slow))


def _slowness(calls: Floats, low: float, high: float) -> float:
    """Logarithm of the quantile at the level ``high`` of ``calls`` over that at ``low``."""
    return float(np.log(np.quantile(calls, high) / np.quantile(calls, low)))
