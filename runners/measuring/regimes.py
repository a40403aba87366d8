"""What a machine's regimes do to a ratio that was found in one of them.

The bootstrap alone covered the median of the quiet 1.2 s windows in 47, 51, 46, 69 and 69 of 100 windows of 1.2, 3, 6,
20 and 60 s: a machine has regimes of seconds to minutes, in which a network that lives in memory slows down and a
small one does not, and a short run cannot see the next one. `regime_term` widens the interval by what the
disturbances within the run did to the ratio. Two sides alike, as in A/A, are disturbed alike: their intervals stay
narrow.

What is known of the baseline from earlier runs says more (see `runners.measuring.deviation`). With a neighbour that
swept 16 or 64 MiB of memory for half of 320 s, in windows of 2.5 s, each knowing what those before it saw:

    candidate                   spread, alone and so   intervals that hold   half-width
    narrow student in ONNX R.   24 %    0.7 %          81 %   100 %          19 %   6 %
    teacher in ONNX Runtime     21 %    10 %           74 %   100 %          13 %   5 %
    half-width in eager mode    12 %    14 %           73 %    99 %           8 %   5 %
    the teacher's own copy       4 %     8 %           99 %    98 %           4 %   7 %
"""

import numpy as np

from runners.measuring.estimator import Floats, fast_share, seconds_of

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
"""What slows a side within a run is seen in these quantiles against its fast end, where they are so many times apart:
of fewer calls they say nothing."""
EVEN = 0.003
"""Differences between quantiles, in logarithms, that are no more than noise."""
WHOLLY = 0.8
AT_MOST = 2.0
"""From so much of the baseline's own slowness on, a candidate is taken to share all of it; and at most so many times of
what it shows. A copy of the digits teacher showed 0.58 to 1.43 (10th to 90th percentile of windows of 2.5 s), and its
fast end moved by 0.79 to 1.27 of the logarithm by which the teacher's did; lowered to ONNX Runtime it showed 0.17 to
0.76 and moved by 0.04 to 0.19, its narrow student 0.09 to 0.30 and 0.01 to 0.06, a half-width network in eager mode
0.38 to 1.71 and 0.16 to 0.74: of the latter too little is taken away, and its interval says so."""


def regime_term(candidate: list[Floats], baseline: list[Floats], known_s: float = 0.0) -> float:
    """Half-width, in logarithms, for what the machine does at other times.

    It is `DISTURBANCE` times what separates the ratio of fast ends from that of fast quarters in the same calls
    (medians explode on shared cores), less as the run grows longer than a regime of the machine. Where the baseline was
    slowed more than the candidate, the ``known_s`` seconds count too in which the baseline was timed before.
    """
    share = fast_share(candidate, baseline)
    calls, others = (_slower(np.concatenate(side), share, QUARTER) for side in (candidate, baseline))
    seconds = seconds_of(candidate, baseline) + (known_s if others > calls else 0.0)
    unseen = (REGIME_S / (REGIME_S + seconds)) ** SEEN
    return float(unseen * DISTURBANCE * abs(others - calls))


def shares(candidate: list[Floats], baseline: list[Floats], excess: float) -> tuple[float, float]:
    """How much of the baseline's ``excess`` is the candidate's too, by what slowed both in the run: likely, at most.

    Each as an exponent from 0 to 1: where the baseline takes ``x`` times its shortest, the candidate takes ``x **
    share`` times its own. A run that has seen little of what slows the baseline says little.
    """
    calls, others, share = np.concatenate(candidate), np.concatenate(baseline), fast_share(candidate, baseline)
    apart = [at for at in SLOWER if at >= APART * share]
    slower = [(_slower(calls, share, at) + EVEN) / (_slower(others, share, at) + EVEN) for at in apart or [QUARTER]]
    beyond = max(1.0, excess / max(_slower(others, share, QUARTER), EVEN))
    most = min(1.0, AT_MOST * max(slower) * beyond) if apart else 1.0
    return min(most, (min(slower) / WHOLLY) ** 2), most


def _slower(calls: Floats, fast: float, at: float) -> float:
    """Logarithm of the quantile ``at`` of ``calls`` over the quantile ``fast``."""
    return float(np.log(np.quantile(calls, at) / np.quantile(calls, fast)))
