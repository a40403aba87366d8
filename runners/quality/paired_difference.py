"""The 95 % interval of the difference between the accuracies of two artifacts that answered the same examples.

For the share of correct answers it is the adjusted Wald interval of Bonett and Price (Statistics in Medicine 31, 2012):
Wald's, with one example added to each of the two discordant counts. In simulations of 100 to 2,000 examples of which 0
to 9 % are answered correctly by one artifact alone, it held the true difference in at least 94.7 % of 2,000 samples in
each setting. Tango's score interval (1998) did so in 93 % and is found by iteration only. Wald's and the percentile
bootstrap did so in 62 % where one answer in a hundred differs, since a sample without such an answer gives them no
width; the exact interval of McNemar's test, which takes the number of discordant answers as given, in 43 %. Independent
intervals held it in 99.5 % and were 1.4 to 8 times as wide.

For another metric it is the mean of the metric's differences on shared resamples, and a quantile times their standard
deviation, to whose square 2 / (examples + 2)^2 is added: what the added examples do to the variance of Bonett and
Price. This takes it that a metric is a fraction, of which one example decides about 1 / examples; of a metric in
another unit it is taken to decide that share of the mean of both. The quantile is
Student's at 30 degrees of freedom, since classes of few examples tell little of the standard deviation: with the normal
one 94.4 % were held where classes have 40 examples. For F1 and balanced accuracy the percentile interval of the same
resamples held the true difference in 7 to 96 %, and this one in at least 95 %, but for F1 with ten positive examples
(91 %).

`tests/benchmarks/paired_accuracy.py` measures all this.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.quality.answers import Answers, Kind

Z = 1.959964
"""The 97.5 % quantile of the normal distribution."""
STUDENT = 2.0423
"""The 97.5 % quantile of Student's distribution with 30 degrees of freedom."""
LEAST_PAIRS = 50
"""Where both metrics are numbers on fewer resamples, the interval is not known."""
Floats = NDArray[np.float64]


def difference_ci95(ours: Answers, theirs: Answers) -> tuple[float, float] | None:
    """The interval of our accuracy less theirs; None where the answers cannot be paired."""
    if not ours.can_be_paired_with(theirs):
        return None
    low, high = differences_ci95(ours.kind, ours.examples, ours.array, theirs.array)
    return None if np.isnan(low) else (float(low), float(high))


def differences_ci95(kind: Kind, examples: int, ours: NDArray[Any], theirs: NDArray[Any]) -> tuple[Floats, Floats]:
    """The ends of the intervals of our accuracies less theirs, NaN where they are not known.

    Args:
        kind: The kind of all answers.
        examples: How many examples were answered.
        ours: Arrays of `Answers` in rows ``(..., width)``.
        theirs: The same; the rows are broadcast against ``ours``.
    """
    if kind == "correct":
        return proportions_ci95(_count(ours & ~theirs), _count(theirs & ~ours), examples)
    differences = ours.astype(np.float64) - theirs
    if kind == "resampled":
        return resampled_ci95(differences, examples)
    both = (np.abs(ours.astype(np.float64)) + np.abs(theirs)) / 2
    return resampled_ci95(differences, examples, np.nan_to_num(_mean_of_finite(both)))


def proportions_ci95(gained: NDArray[Any], lost: NDArray[Any], examples: int) -> tuple[Floats, Floats]:
    """The interval of a difference of two shares of the same examples (Bonett and Price, 2012).

    Args:
        gained: Examples that the first alone answered correctly, any shape.
        lost: Examples that the second alone answered correctly, of the same shape.
        examples: All examples.
    """
    first, second = (gained + 1) / (examples + 2), (lost + 1) / (examples + 2)
    difference = first - second
    half = Z * np.sqrt((first + second - difference**2) / (examples + 2))
    return np.maximum(difference - half, -1.0), np.minimum(difference + half, 1.0)


def resampled_ci95(differences: Floats, examples: int, scale: Floats | float = 1.0) -> tuple[Floats, Floats]:
    """The interval of a difference of two metrics, NaN where it is known on fewer than `LEAST_PAIRS` resamples.

    Args:
        differences: The differences on each resample ``(..., resamples)``, NaN where one cannot be computed.
        examples: All examples.
        scale: Of this one example is taken to decide the share 1 / examples; 1 for a fraction, else ``(...)``.
    """
    finite = np.isfinite(differences)
    count = finite.sum(axis=-1)
    known = np.where(finite, differences, 0.0)
    enough = count >= LEAST_PAIRS
    divisor = np.where(enough, count, np.nan)
    mean = known.sum(axis=-1) / divisor
    squares = np.where(finite, differences - mean[..., None], 0.0) ** 2
    half = STUDENT * np.sqrt(squares.sum(axis=-1) / (divisor - 1) + 2 * np.square(scale) / (examples + 2) ** 2)
    return mean - half, mean + half


def _mean_of_finite(values: Floats) -> Floats:
    finite = np.isfinite(values)
    mean: Floats = np.where(finite, values, 0.0).sum(axis=-1) / np.maximum(finite.sum(axis=-1), 1)
    return mean


def _count(bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    count: NDArray[np.int64] = np.bitwise_count(bits).sum(axis=-1, dtype=np.int64)
    return count
