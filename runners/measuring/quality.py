"""The quality of a predictor on the splits of a workload, with its interval."""

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.backend import Predictor
from runners.processes.fresh_process import report_progress
from runners.runner import StageFailed
from runners.workload import Split, Workload, accuracy

EVALUATION_BATCH = 64
ROUNDS = 200
"""Samples that a bootstrap draws."""


@dataclass(frozen=True)
class Accuracies:
    """The workload's metric of an artifact on each split; the fields are those of `Measurement`."""

    accuracy: float
    accuracy_ci95: tuple[float, float]
    accuracy_test: float | None = None
    accuracy_test_ci95: tuple[float, float] | None = None
    accuracy_train: float | None = None


def evaluate(predictor: Predictor, workload: Workload, splits: Iterable[str]) -> Accuracies:
    """The metric on ``splits``: ``validation``, and of ``test`` and ``train`` those that are asked for.

    Of the training split, as many examples are taken as the validation split has: enough to see how well it is known.

    Raises:
        StageFailed: An output is not finite, or the metric is no number.
    """
    most = len(workload.splits["validation"])
    found = {}
    for name in splits:
        split = workload.splits[name]
        chosen = _spaced(len(split), most) if name == "train" else None
        found[name] = quality(workload, *predict(predictor, split, EVALUATION_BATCH, chosen))
    test, test_ci95 = found.get("test", (None, None))
    train, _ = found.get("train", (None, None))
    return Accuracies(*found["validation"], test, test_ci95, train)


def predict(
    predictor: Predictor, split: Split, batch: int, chosen: NDArray[np.int64] | None = None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Outputs ``(n, ...)`` and targets ``(n, ...)`` over the whole split, or over the ``chosen`` examples.

    Raises:
        StageFailed: An output is NaN or infinite, or there is not one output for each input.
    """
    indices = np.arange(len(split)) if chosen is None else chosen
    outputs, targets = zip(*_batches(predictor, split, batch, indices), strict=True)
    joined = np.concatenate(outputs)
    if len(joined) != len(indices):
        raise StageFailed(f"the artifact gave {len(joined)} outputs for {len(indices)} inputs")
    if not np.isfinite(joined).all():
        raise StageFailed("the artifact gives NaN or infinite outputs")
    return joined, np.concatenate(targets)


def quality(workload: Workload, outputs: NDArray[Any], targets: NDArray[Any]) -> tuple[float, tuple[float, float]]:
    """The metric and its 95 % interval: Wilson's for accuracy, by bootstrap over examples for any other metric.

    A score that is the same on every sample, such as a perfect one, would get an interval without width, as if the
    examples could not have been others: its interval is Wilson's too, where it can be read as a share of them.

    Raises:
        StageFailed: The metric is not a finite number, or above 1, or cannot be computed on most samples.
    """
    value = float(workload.metric(outputs, targets))
    if not math.isfinite(value) or value > 1:
        raise StageFailed(
            f"the metric {workload.metric_name} is {value:.4g} on these outputs; it must be at most 1, which is perfect"
        )
    if workload.metric is accuracy:
        return value, wilson(value, len(targets))
    low, high = _bootstrap(workload, outputs, targets)
    if low == high and 0 <= value <= 1:
        return value, wilson(value, len(targets))
    return value, (low, high)


def wilson(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """The score interval of a proportion (Wilson, 1927): ``share`` of ``count``, 95 % by default."""
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def _bootstrap(workload: Workload, outputs: NDArray[Any], targets: NDArray[Any]) -> tuple[float, float]:
    """The metric's 2.5 % and 97.5 % quantiles over samples of the examples, for those on which it can be computed."""
    values = [value for value in _resampled(workload, outputs, targets) if math.isfinite(value)]
    if len(values) < ROUNDS / 2:
        raise StageFailed(
            f"the metric {workload.metric_name} gave a number in {len(values)} of {ROUNDS} samples of the "
            f"{len(targets)} examples, too few for an interval; give more examples of each class"
        )
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _resampled(workload: Workload, outputs: NDArray[Any], targets: NDArray[Any]) -> Iterator[float]:
    """The metric on each sample of the examples, drawn with replacement; some raise where a class is missing."""
    random = np.random.default_rng(0)
    for _ in range(ROUNDS):
        draw = random.integers(0, len(targets), len(targets))
        with suppress(Exception):
            yield float(workload.metric(outputs[draw], targets[draw]))
        report_progress()


def _batches(
    predictor: Predictor, split: Split, batch: int, indices: NDArray[np.int64]
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    for first in range(0, len(indices), batch):
        inputs, targets = split.batch(indices[first : first + batch])
        yield predictor(inputs), targets
        report_progress()


def _spaced(count: int, most: int) -> NDArray[np.int64]:
    """At most ``most`` evenly spaced indices below ``count``."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(np.int64))
