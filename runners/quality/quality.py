"""The quality of a predictor on the splits of a workload, with its interval."""

import math
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.backend import Predictor
from runners.inputs import read
from runners.processes.progress import report_progress
from runners.quality.answers import RESAMPLES, Answers, Kind
from runners.quality.teacher_agreement import compare_with_teacher, kept_outputs, make_teacher
from runners.runner import StageFailed
from runners.workload import Split, Workload, accuracy

EVALUATION_BATCH = 64
RESAMPLING_S = 30.0
"""No resample is begun after this time where `LEAST_RESAMPLES` are done, so that a slow metric holds nothing up for
long; two artifacts are compared on the resamples that both have."""
LEAST_RESAMPLES = 100
MOST_ANSWERS = 180_000
"""The answers to more examples are not kept: a text of MySQL holds 64 KiB, which those to two splits have to fit into.
"""


@dataclass(frozen=True)
class Quality:
    """The workload's metric of an artifact on one split.

    Attributes:
        value: The metric.
        ci95: Its 95 % interval.
        answers: What the artifact answered; None for accuracy on more than `MOST_ANSWERS` examples.
    """

    value: float
    ci95: tuple[float, float]
    answers: Answers | None


@dataclass(frozen=True)
class Accuracies:
    """The workload's metric of an artifact on each split.

    The fields are those of `Measurement`, and ``answers``: what the artifact answered on validation and test split.
    """

    accuracy: float
    accuracy_ci95: tuple[float, float]
    accuracy_test: float | None = None
    accuracy_test_ci95: tuple[float, float] | None = None
    accuracy_train: float | None = None
    answers: Mapping[str, Answers] = field(default_factory=dict)


def evaluate(
    predictor: Predictor, workload: Workload, splits: Collection[str], teacher: Path | None = None
) -> Accuracies:
    """The metric on ``splits``: ``validation``, and of ``test`` and ``train`` those that are asked for.

    Of the training split, as many examples are taken as the validation split has: enough to see how well it is known.
    Without labels it is the agreement with the teacher's outputs; nothing is known of the training split then.

    Args:
        predictor: The artifact.
        workload: Gives examples and metric.
        splits: Where to evaluate.
        teacher: The folder in which the teacher's stage may have kept its outputs, for a workload without labels.

    Raises:
        StageFailed: An output is not finite, or the metric is no number.
    """
    found = {name: quality_on_split(predictor, workload, name, teacher) for name in splits if name != "train"}
    train = _training_value(predictor, workload) if "train" in splits and not workload.cannot_train else None
    test = found.get("test")
    return Accuracies(
        found["validation"].value,
        found["validation"].ci95,
        test.value if test else None,
        test.ci95 if test else None,
        train,
        {name: one.answers for name, one in found.items() if one.answers is not None},
    )


def predict(
    predictor: Predictor, split: Split, batch: int, chosen: NDArray[np.int64] | None = None
) -> tuple[NDArray[Any], Any]:
    """Outputs ``(n, ...)`` and targets ``(n, ...)`` over the whole split, or over the ``chosen`` examples.

    The targets are None where there are no labels.

    Raises:
        StageFailed: An output is NaN or infinite, there is not one output for each input, or they differ in shape.
    """
    indices = np.arange(len(split)) if chosen is None else chosen
    outputs, targets = zip(*_batches(predictor, split, batch, indices), strict=True)
    if len(shapes := {each.shape[1:] for each in outputs}) > 1:
        raise StageFailed(f"the artifact gives outputs of different shapes: {', '.join(map(str, sorted(shapes)))}")
    joined = np.concatenate(outputs)
    if len(joined) != len(indices):
        raise StageFailed(f"the artifact gave {len(joined)} outputs for {len(indices)} inputs")
    if not np.isfinite(joined).all():
        raise StageFailed("the artifact gives NaN or infinite outputs")
    return joined, None if targets[0] is None else np.concatenate(targets)


def quality(workload: Workload, outputs: NDArray[Any], targets: NDArray[Any]) -> Quality:
    """The metric, its 95 % interval and the answers behind it.

    The interval is Wilson's for accuracy with one target an example, and by bootstrap over examples for any other
    metric, and for accuracy with several targets an example, such as one a pixel: these depend on each other. A score
    that is the same on every resample, such as a perfect one, would get an interval without width, as if the examples
    could not have been others: its interval is Wilson's too, where it can be read as a share of them.

    Raises:
        StageFailed: The metric is not a finite number, or a fraction above 1, or cannot be computed on most resamples.
    """
    value, examples = _value(workload, outputs, targets), len(targets)
    if workload.metric is accuracy and targets.ndim == 1:
        correct = outputs.argmax(axis=1) == targets
        kept = Answers.of_correct(correct) if examples <= MOST_ANSWERS else None
        return Quality(value, wilson(value, examples), kept)
    values = np.fromiter(_resampled(workload, outputs, targets), np.float64)
    finite = values[np.isfinite(values)]
    if len(finite) < len(values) / 2:
        raise StageFailed(
            f"the metric {workload.metric_name} gave a number in {len(finite)} of {len(values)} samples of the "
            f"{examples} examples, too few for an interval; give more examples of each class"
        )
    low, high = np.quantile(finite, [0.025, 0.975])
    never_varies = low == high and 0 <= value <= 1 and workload.quality.is_fraction
    interval = wilson(value, examples) if never_varies else (float(low), float(high))
    kind: Kind = "resampled" if workload.quality.is_fraction else "measured"
    return Quality(value, interval, Answers.of_resampled(values, examples, kind))


def wilson(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """The score interval of a proportion (Wilson, 1927): ``share`` of ``count``, 95 % by default."""
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def quality_on_split(predictor: Predictor, workload: Workload, name: str, teacher: Path | None = None) -> Quality:
    """The quality on the split called ``name``, without labels against the teacher's outputs.

    Args:
        predictor: The artifact.
        workload: Gives examples and metric.
        name: The split.
        teacher: As in `evaluate`; what is not kept there is computed anew.
    """
    outputs, targets = predict(predictor, workload.splits[name], EVALUATION_BATCH)
    if targets is not None:
        return quality(workload, outputs, targets)
    expected = kept_outputs(teacher, name)
    if expected is None:
        expected = teacher_outputs(workload, name, threads=1)
    compared = compare_with_teacher(workload, outputs, expected)
    return quality(compared.workload, compared.outputs, compared.targets)


def teacher_outputs(workload: Workload, name: str, threads: int) -> NDArray[Any]:
    """The outputs ``(n, ...)`` of the workload's network with its own weights, on the split called ``name``."""
    return predict(make_teacher(workload, threads), workload.splits[name], EVALUATION_BATCH)[0]


def _training_value(predictor: Predictor, workload: Workload) -> float:
    """The metric on as many training examples as the validation split has."""
    split, most = workload.splits["train"], len(workload.splits["validation"])
    return _value(workload, *predict(predictor, split, EVALUATION_BATCH, _spaced(len(split), most)))


def _value(workload: Workload, outputs: NDArray[Any], targets: NDArray[Any]) -> float:
    value = float(workload.metric(outputs, targets))
    problem = workload.quality.impossible(value) if math.isfinite(value) else "it must be a finite number"
    if problem:
        raise StageFailed(f"the metric {workload.metric_name} is {value:.4g} on these outputs; {problem}")
    return value


def _resampled(workload: Workload, outputs: NDArray[Any], targets: NDArray[Any]) -> Iterator[float]:
    """The metric on each resample of the examples, which are drawn with replacement; NaN where it raises.

    The resamples depend on the number of examples alone, so that the values of two artifacts can be paired: NumPy
    promises that the numbers of a `RandomState` stay the same in all its versions.
    """
    random, count = np.random.RandomState(0), len(targets)
    begun = time.monotonic()
    for done in range(RESAMPLES):
        if done >= LEAST_RESAMPLES and time.monotonic() - begun > RESAMPLING_S:
            return
        draw = random.randint(0, count, count, dtype=np.int64)
        value = math.nan
        with suppress(Exception):  # some metrics raise where a class is missing
            value = float(workload.metric(outputs[draw], targets[draw]))
        yield value
        report_progress()


def _batches(
    predictor: Predictor, split: Split, batch: int, indices: NDArray[np.int64]
) -> Iterator[tuple[NDArray[Any], Any]]:
    for first in range(0, len(indices), batch):
        inputs, targets = read(split, indices[first : first + batch])
        yield predictor(*inputs), targets
        report_progress()


def _spaced(count: int, most: int) -> NDArray[np.int64]:
    """At most ``most`` evenly spaced indices below ``count``."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(np.int64))
