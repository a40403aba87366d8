"""Measured quantities as losses: numbers to minimise, on scales where the reference point of the hypervolume is 1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from runners.metric import QualityMetric
from runners.quality.answers import Answers
from search.objectives.answer_rows import AnswerRows
from search.objectives.arrays import Floats, Mask
from search.objectives.objective import Objective

TOLERATED_DROP = 0.10
"""An accuracy so much worse than the baseline's adds nothing to the hypervolume: of a fraction by so much, of a metric
in another unit by this share of the baseline's value."""

TIMED = ("speedup", "latency_p50_ms", "latency_p90_ms", "latency_p99_ms", "throughput_per_s")
"""Quantities that are timed: differences smaller than the study's timing resolution are not significant.

The resolution is that of the speedup, a ratio of calls taken in turn in one process. The latencies are those of the
candidate's calls alone, and the throughput is one run of serving, at another time for each candidate. Neither has an
interval, so that a larger difference may still be the machine's.
"""


@dataclass(frozen=True)
class LossTable:
    """Losses to minimise with their intervals, each array of the shape ``(n_measurements, n_objectives)``.

    A row is compared with another by `search.objectives.dominance`.

    Attributes:
        points: The estimates.
        lower: The lower ends of the 95 % intervals, nowhere above ``points``. For quantities that are `TIMED` they lie
            further out by the factor 1 + resolution, so that two intervals are apart only where the ratio of the
            quantities is beyond that factor.
        upper: The upper ends, nowhere below ``points``. A quantity without an interval counts as known exactly, but
            for the resolution.
        answers: What the rows answered.
        answered: Which columns are the accuracy of those answers ``(n_objectives,)``.
    """

    points: Floats
    lower: Floats
    upper: Floats
    answers: AnswerRows
    answered: Mask

    @classmethod
    def of(cls, points: Floats, lower: Floats, upper: Floats) -> "LossTable":
        """A table of which no answers are known."""
        rows, columns = points.shape
        return cls(points, lower, upper, AnswerRows.stack([None] * rows), np.zeros(columns, dtype=bool))

    def with_row(self, row: "LossTable") -> "LossTable":
        """This table and the one row of another one with the same columns."""
        return replace(
            self,
            points=np.vstack([self.points, row.points]),
            lower=np.vstack([self.lower, row.lower]),
            upper=np.vstack([self.upper, row.upper]),
            answers=self.answers.with_row(row.answers.first),
        )


def loss_table(
    objectives: Sequence[Objective],
    measurements: Sequence[Mapping[str, Any]],
    baseline: Mapping[str, Any],
    resolution: float = 0.0,
    answers: Sequence[Answers | None] | None = None,
) -> LossTable:
    """The losses of ``measurements`` relative to the ``baseline``; the reference point is 1 in all.

    The loss of an accuracy runs from 0 where it is perfect to 1 where it is worse than the baseline's by
    `TOLERATED_DROP`. That of a metric which is no fraction is 0 at the baseline's value, and negative where it is
    better. The loss of a quantity to minimise is its ratio to the baseline's, of one to maximise the inverse of that
    ratio. A quantity that was not measured has the loss infinity.

    Args:
        objectives: The columns.
        measurements: The rows, as `Measurement.to_json` gives them.
        baseline: The measurement of the baseline.
        resolution: The smallest relative difference in speed that is significant.
        answers: What was answered where each accuracy was measured, None where that is not known.
    """
    shape, less = (len(measurements), len(objectives)), any(not each.metric.higher_is_better for each in objectives)
    points, lower, upper = np.empty(shape), np.empty(shape), np.empty(shape)
    for column, objective in enumerate(objectives):
        points[:, column], lower[:, column], upper[:, column] = _column(objective, measurements, baseline, resolution)
    # An estimate may lie outside its bootstrap interval.
    return LossTable(
        points,
        np.minimum(lower, points),
        np.maximum(upper, points),
        AnswerRows.stack(answers or [None] * len(measurements), not less),
        np.array([compared_quantity(objective.name) == "accuracy" for objective in objectives], dtype=bool),
    )


def losses(objectives: Sequence[Objective], measurement: Mapping[str, Any], baseline: Mapping[str, Any]) -> Floats:
    """The losses of one measurement, shape ``(n_objectives,)``, on the scales of `loss_table`."""
    points: Floats = loss_table(objectives, [measurement], baseline).points[0]
    return points


def compared_quantity(name: str) -> str:
    """The quantity whose losses stand for the objective ``name``: a drop in accuracy is compared by the accuracy."""
    return "accuracy" if name in ("accuracy_drop", "accuracy_drop_share") else name


def _column(
    objective: Objective, measurements: Sequence[Mapping[str, Any]], baseline: Mapping[str, Any], resolution: float
) -> tuple[Floats, Floats, Floats]:
    """Estimates, lower ends and upper ends of the losses in one objective, each ``(n_measurements,)``."""
    name = compared_quantity(objective.name)
    interval = f"{name}_ci95"
    values = np.array([measurement.get(name) for measurement in measurements], dtype=float)  # None becomes NaN
    ends = [measurement.get(interval) or (measurement.get(name), measurement.get(name)) for measurement in measurements]
    low, high = np.array(ends, dtype=float).reshape(-1, 2).T
    margin = 1 + resolution if name in TIMED else 1.0
    if (objective.metric.direction if name == "accuracy" else objective.direction) == "maximize":
        better, worse = high * margin, low
    else:
        better, worse = low / margin, high
    reference = float(baseline.get(name) or 0.0)
    points, lower, upper = (_losses(name, objective, column, reference) for column in (values, better, worse))
    unknown = np.isnan(values)
    points[unknown] = lower[unknown] = upper[unknown] = np.inf
    return points, lower, upper


def _losses(name: str, objective: Objective, values: Floats, reference: float) -> Floats:
    if name == "accuracy":
        return _accuracy_losses(objective.metric, values, reference)
    if objective.direction == "maximize":
        ratios: Floats = np.full(len(values), np.inf)
        return np.divide(reference, values, out=ratios, where=values > 0)
    return values / (reference if reference > 0 else 1 + values)


def _accuracy_losses(metric: QualityMetric, values: Floats, reference: float) -> Floats:
    if metric.best is None:
        return metric.sign * (reference - values) / (metric.allowance(TOLERATED_DROP, reference) or 1.0)
    return metric.sign * (metric.best - values) / (metric.sign * (metric.best - reference) + TOLERATED_DROP)
