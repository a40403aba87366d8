"""What `search.objectives` says of one measurement, said of ten thousand in milliseconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.objectives import TIMED, TOLERATED_DROP, Objective

Figures = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class LossTable:
    """Losses, each array of the shape ``(n_measurements, n_objectives)``.

    Attributes:
        points: `search.objectives.losses` of each measurement.
        best: The first of its `search.objectives.loss_ends`.
        worst: The second of them.
    """

    points: NDArray[np.float64]
    best: NDArray[np.float64]
    worst: NDArray[np.float64]


def loss_table(
    objectives: Sequence[Objective], measurements: Figures, baseline: Mapping[str, Any], resolution: float = 0.0
) -> LossTable:
    """The losses of ``measurements`` beside ``baseline``, and those at the ends of their intervals."""
    columns = [_column(objective, measurements, baseline, resolution) for objective in objectives]
    points, best, worst = (
        np.array(columns, dtype=float).reshape(len(objectives), 3, len(measurements)).transpose(1, 2, 0)
    )
    return LossTable(points, np.minimum(best, points), np.maximum(worst, points))


def _column(
    objective: Objective, measurements: Figures, baseline: Mapping[str, Any], resolution: float
) -> list[NDArray[np.float64]]:
    """Points, better ends and worse ends in one objective."""
    name = "accuracy" if objective.name == "accuracy_drop" else objective.name
    values = [measurement.get(name) for measurement in measurements]
    key = f"{name}_ci95"
    ends = [measurement.get(key) or (value, value) for measurement, value in zip(measurements, values, strict=True)]
    figures = np.array(values, dtype=float)  # what was not measured becomes NaN
    low, high = np.array([*chain.from_iterable(ends)], dtype=float).reshape(len(values), 2).T
    margin = 1 + resolution if name in TIMED else 1.0
    more_is_better = name == "accuracy" or objective.direction == "maximize"
    better, worse = (high * margin, low) if more_is_better else (low / margin, high)
    reference = float(baseline.get(name) or 0.0)
    unknown = np.isnan(figures)
    return [
        np.where(unknown, np.inf, _losses(name, objective, column, reference)) for column in (figures, better, worse)
    ]


def _losses(name: str, objective: Objective, figures: NDArray[np.float64], reference: float) -> NDArray[np.float64]:
    if name == "accuracy":
        return (1 - figures) / (1 - reference + TOLERATED_DROP)
    if objective.direction == "maximize":
        losses: NDArray[np.float64] = np.full(len(figures), np.inf)
        return np.divide(reference, figures, out=losses, where=figures > 0)
    return figures / (reference if reference > 0 else 1 + figures)
