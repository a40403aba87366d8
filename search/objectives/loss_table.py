"""Measured quantities as numbers to minimise, at this one border: of ten thousand measurements in milliseconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.objectives.objective import Objective

Figures = Sequence[Mapping[str, Any]]

TOLERATED_DROP = 0.10
"""Quality this far below the baseline's, as a fraction, adds nothing to the hypervolume."""

TIMED = ("speedup", "latency_p50_ms", "latency_p90_ms", "latency_p99_ms", "throughput_per_s")
"""What is timed, and is known to the study's resolution at best: a smaller difference is not believed.

The resolution is that of the speedup, a ratio of calls taken in turn in one process. The latencies are those of the
candidate's calls alone, and the throughput is one run of serving, at another time for each candidate. Neither has an
interval, so that a larger difference may still be the machine's.
"""


@dataclass(frozen=True)
class LossTable:
    """Losses, each array of the shape ``(n_measurements, n_objectives)``.

    Attributes:
        points: The estimates.
        best: The better ends of the 95 % intervals. For what is `TIMED` they lie further out by the factor
            1 + resolution: one point's worse end is beyond another's better end only where the ratio of the figures
            themselves is beyond that factor.
        worst: The worse ends. What has no interval counts as known exactly, but for the resolution.
    """

    points: NDArray[np.float64]
    best: NDArray[np.float64]
    worst: NDArray[np.float64]


def loss_table(
    objectives: Sequence[Objective], measurements: Figures, baseline: Mapping[str, Any], resolution: float = 0.0
) -> LossTable:
    """The losses of ``measurements`` beside ``baseline``; the reference point is 1 in all.

    Quality counts from perfect (0) to ten points below the baseline (1); a cost from free (0) to the
    baseline's (1); a rate from endless (0) to the baseline's (1). What could not be measured counts as endless.
    """
    columns = [_column(objective, measurements, baseline, resolution) for objective in objectives]
    points, best, worst = (
        np.array(columns, dtype=float).reshape(len(objectives), 3, len(measurements)).transpose(1, 2, 0)
    )
    # An estimate may lie outside its bootstrap interval.
    return LossTable(points, np.minimum(best, points), np.maximum(worst, points))


def losses(
    objectives: Sequence[Objective], measurement: Mapping[str, Any], baseline: Mapping[str, Any]
) -> NDArray[np.float64]:
    """The losses of one measurement, shape ``(n_objectives,)``."""
    points: NDArray[np.float64] = loss_table(objectives, [measurement], baseline).points[0]
    return points


def figure_of(name: str) -> str:
    """The figure that an objective is judged by; a drop in accuracy is as certain as the accuracy."""
    return "accuracy" if name == "accuracy_drop" else name


def _column(
    objective: Objective, measurements: Figures, baseline: Mapping[str, Any], resolution: float
) -> list[NDArray[np.float64]]:
    """Points, better ends and worse ends in one objective."""
    name = figure_of(objective.name)
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
