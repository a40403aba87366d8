"""What a machine's regimes do to a ratio that was measured in one of them.

A regime is a period of seconds to minutes in which a shared machine slows some networks more than others: one that
reads much memory takes longer, and a small one does not.

`regime_term` widens an interval for the regimes that a short run cannot see. Assumption: they change the ratio like the
disturbances within the run. Two arms that are disturbed alike, as in A/A, keep narrow intervals. Evidence: of 100
windows of 1.2, 3, 6, 20 and 60 s, the intervals of the bootstrap alone held the median ratio of the undisturbed 1.2 s
windows in 47, 51, 46, 69 and 69.

`shared_excess` estimates how much of the baseline's excess (`runners.measuring.deviation`) the candidate has too.
Assumption: what slowed both within the run tells what slows both between runs. Evidence: another program read and wrote
16 or 64 MiB of memory for half of 320 s; of windows of 2.5 s, each knowing what those before it measured, without and
with the correction:

    candidate                   spread of results   intervals that hold   half-width
    narrow student in ONNX R.   24 %    0.7 %       81 %   100 %          19 %   6 %
    teacher in ONNX Runtime     21 %    10 %        74 %   100 %          13 %   5 %
    half-width in eager mode    12 %    14 %        73 %    99 %           8 %   5 %
    the teacher's own copy       4 %     8 %        99 %    98 %           4 %   7 %
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

LEVELS = (0.1, QUARTILE)
"""The quantile levels at which the slowness of an arm within a run is seen, against its estimate."""
MIN_DISTANCE = 5
"""A level below this multiple of the estimator's own says nothing, as with few calls."""
NOISE = 0.003
"""Differences between logarithms of quantiles that are no more than noise."""
WHOLLY = 0.8
"""A candidate with this share of the baseline's slowness within the run, or more, is taken to share its excess."""
AT_MOST = 2.0
"""The largest plausible share of the excess, as a multiple of the share of the slowness within the run. A copy of the
digits teacher had 0.58 to 1.43 of the teacher's slowness (10th to 90th percentile of windows of 2.5 s) and 0.79 to 1.27
of its excess; lowered to ONNX Runtime it had 0.17 to 0.76 and 0.04 to 0.19, its narrow student 0.09 to 0.30 and 0.01 to
0.06, a half-width network in eager mode 0.38 to 1.71 and 0.16 to 0.74: of the latter too little is taken away, and its
interval says so."""


def regime_term(candidate: list[Floats], baseline: list[Floats], known_s: float = 0.0) -> float:
    """Half-width, in logarithms, for what the machine does at other times.

    It is `WIDENING` times the difference between the ratio of the estimates and the ratio of the lower quartiles, less
    the longer the run is. (Medians explode on shared cores.) Where the baseline was slowed more than the candidate, the
    ``known_s`` seconds count too in which the baseline was timed before.
    """
    level = quantile_level(candidate, baseline)
    slow, baseline_slow = (_slowness(np.concatenate(arm), level, QUARTILE) for arm in (candidate, baseline))
    seconds = total_s(candidate, baseline) + (known_s if baseline_slow > slow else 0.0)
    unseen = (REGIME_S / (REGIME_S + seconds)) ** DECAY
    return float(unseen * WIDENING * abs(baseline_slow - slow))


def shared_excess(candidate: list[Floats], baseline: list[Floats], log_excess: float) -> tuple[float, float]:
    """How much of the baseline's excess the candidate has too: the likely share, and the largest plausible one.

    Each is an exponent from 0 to 1: where the baseline takes ``x`` times its shortest time, the candidate takes
    ``x ** share`` times its own. A run that has seen little of what slows the baseline says little.
    """
    calls, others, level = np.concatenate(candidate), np.concatenate(baseline), quantile_level(candidate, baseline)
    usable = [at for at in LEVELS if at >= MIN_DISTANCE * level]
    slower = [
        (_slowness(calls, level, at) + NOISE) / (_slowness(others, level, at) + NOISE) for at in usable or LEVELS[-1:]
    ]
    beyond = max(1.0, log_excess / max(_slowness(others, level, QUARTILE), NOISE))
    most = min(1.0, AT_MOST * max(slower) * beyond) if usable else 1.0
    return min(most, (min(slower) / WHOLLY) ** 2), most


def _slowness(calls: Floats, low: float, high: float) -> float:
    """Logarithm of the quantile at the level ``high`` of ``calls`` over that at ``low``."""
    return float(np.log(np.quantile(calls, high) / np.quantile(calls, low)))
