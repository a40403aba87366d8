"""Paired intervals hold the true difference of two accuracies, which naive ones do not; unpaired ones are wider."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from runners.quality.answers import RESAMPLES, Answers
from runners.quality.paired_difference import (
    LEAST_PAIRS,
    STUDENT,
    Z,
    difference_ci95,
    differences_ci95,
    proportions_ci95,
    resampled_ci95,
)
from runners.quality.quality import wilson

SAMPLES = 4000
SETTINGS = [
    (100, 0.02, 0.02),
    (100, 0.05, 0.01),
    (300, 0.01, 0.002),
    (300, 0.0, 0.01),
    (300, 0.06, 0.03),
    (1000, 0.005, 0.02),
    (2000, 0.002, 0.002),
    (2000, 0.05, 0.01),
]
"""Examples, and the shares of them that the first and the second alone answer correctly; both answer 90 %."""


def wald(gained: Any, lost: Any, examples: int) -> tuple[Any, Any]:
    """The naive interval: as if the discordant counts were large."""
    first, second = gained / examples, lost / examples
    half = Z * np.sqrt((first + second - (first - second) ** 2) / examples)
    return first - second - half, first - second + half


def coverage(interval: Callable[..., tuple[Any, Any]], examples: int, gain: float, loss: float) -> float:
    random = np.random.default_rng(0)
    counts = random.multinomial(examples, [gain, loss, 1 - gain - loss], SAMPLES)
    low, high = interval(counts[:, 0], counts[:, 1], examples)
    return float(np.mean((low <= gain - loss) & (gain - loss <= high)))


@pytest.mark.parametrize(("examples", "gain", "loss"), SETTINGS)
def test_the_interval_of_two_accuracies_holds_their_difference_in_95_of_100(
    examples: int, gain: float, loss: float
) -> None:
    assert round(100 * coverage(proportions_ci95, examples, gain, loss)) >= 95


def test_the_naive_interval_does_not() -> None:
    found = [coverage(wald, *setting) for setting in SETTINGS]
    assert min(found) < 0.85
    assert sum(share < 0.945 for share in found) >= 3


def test_it_is_narrower_than_two_intervals_of_independent_accuracies() -> None:
    low, high = proportions_ci95(np.array(6), np.array(3), 300)
    apart = [wilson(share, 300) for share in (0.95, 0.94)]
    assert high - low < 0.5 * sum(above - below for below, above in apart)


def test_known_values() -> None:
    low, high = proportions_ci95(np.array([6, 5, 0]), np.array([0, 0, 0]), 300)
    assert (low > 0).tolist() == [True, False, False]  # as McNemar's exact test says: p = 0.031, 0.062, 1
    assert low[2] == -high[2] == pytest.approx(-Z * 2**0.5 / 302)
    assert proportions_ci95(np.array(7), np.array(0), 7)[1] == 1.0


def test_bits_are_counted_as_examples() -> None:
    random = np.random.default_rng(3)
    first, second = random.random((2, 203)) < 0.8
    expected = proportions_ci95((first & ~second).sum(), (second & ~first).sum(), 203)
    assert difference_ci95(Answers.of_correct(first), Answers.of_correct(second)) == pytest.approx(expected)


def macro_f1(counts: Any) -> Any:
    """From confusion matrices ``(..., classes, classes)``."""
    right, asked = np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-1) + counts.sum(-2)
    return np.where(asked > 0, 2 * right / np.maximum(asked, 1), 0.0).mean(-1)


def balanced_accuracy(counts: Any) -> Any:
    return (np.diagonal(counts, axis1=-2, axis2=-1) / np.maximum(counts.sum(-1), 1)).mean(-1)


def confusion(targets: Any, outputs: Any, classes: int, draws: Any) -> Any:
    """The confusion matrices of each of the ``draws`` ``(resamples, examples)``."""
    cells = np.arange(len(draws))[:, None] * classes**2 + (targets * classes + outputs)[draws]
    return np.bincount(cells.ravel(), minlength=len(draws) * classes**2).reshape(-1, classes, classes)


def percentile(differences: Any, examples: int) -> tuple[Any, Any]:
    """The naive interval of a bootstrap."""
    low, high = np.quantile(differences, [0.025, 0.975])
    return low, high


def coverage_of_metric(
    metric: Any, interval: Any, examples: int, right: tuple[float, float], copied: float, samples: int = 400
) -> float:
    """How often ``interval`` holds the true difference of two networks, of which the second copies some answers."""
    random, classes = np.random.default_rng(1), 5
    targets = random.choice(classes, 100_000, p=[0.4, 0.2, 0.2, 0.1, 0.1])
    answered = [np.where(random.random(len(targets)) < share, targets, (targets + 1) % classes) for share in right]
    answered[1] = np.where(random.random(len(targets)) < copied, answered[0], answered[1])
    everyone = np.arange(len(targets))[None]
    true = [metric(confusion(targets, outputs, classes, everyone))[0] for outputs in answered]
    draws, held = np.random.RandomState(0).randint(0, examples, (RESAMPLES, examples)), 0
    for _ in range(samples):
        drawn = random.integers(0, len(targets), examples)
        ours, theirs = (metric(confusion(targets[drawn], outputs[drawn], classes, draws)) for outputs in answered)
        low, high = interval(ours - theirs, examples)
        held += low <= true[0] - true[1] <= high
    return held / samples


@pytest.mark.parametrize("metric", [macro_f1, balanced_accuracy])
@pytest.mark.parametrize(
    ("examples", "right", "copied"),
    [(100, (0.95, 0.95), 0.98), (300, (0.95, 0.93), 0.95), (300, (0.95, 0.90), 0.8), (400, (0.9, 0.9), 0.5)],
)
def test_the_interval_of_another_metric_holds_the_difference_too(
    metric: Any, examples: int, right: tuple[float, float], copied: float
) -> None:
    assert round(100 * coverage_of_metric(metric, resampled_ci95, examples, right, copied)) >= 95


def test_the_percentile_bootstrap_does_not() -> None:
    assert coverage_of_metric(macro_f1, percentile, 300, (0.95, 0.93), 0.95) < 0.9


def test_resamples_without_a_number_are_left_out() -> None:
    differences = np.random.default_rng(0).normal(0.02, 0.005, (2, RESAMPLES))
    differences[:, 200:] = np.nan
    low, high = resampled_ci95(differences, 1000)
    half = STUDENT * np.sqrt(differences[:, :200].var(axis=1, ddof=1) + 2 / 1002**2)
    assert (high - low) / 2 == pytest.approx(half)
    assert (high + low) / 2 == pytest.approx(differences[:, :200].mean(axis=1))


def test_too_few_numbers_make_no_interval() -> None:
    ours, theirs = np.full((2, RESAMPLES), 0.5)
    ours[: RESAMPLES - LEAST_PAIRS + 1] = np.nan
    pair = [Answers.of_resampled(values, 30) for values in (ours, theirs)]
    assert difference_ci95(*pair) is None
    low, high = differences_ci95("resampled", 30, np.stack([ours, theirs]), theirs)
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [True, False]


def test_answers_to_other_examples_make_no_interval() -> None:
    assert difference_ci95(*(Answers.of_correct(np.ones(count, dtype=bool)) for count in (30, 31))) is None
