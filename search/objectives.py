"""What a search optimises: measured quantities, turned into numbers to minimise at this one border."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.measuring.measurement import QUANTITIES, Direction
from spaces.errors import RequestError

TOLERATED_DROP = 0.10
"""Quality this far below the baseline's, as a fraction, adds nothing to the hypervolume."""

TIMED = ("speedup", "latency_p50_ms", "latency_p90_ms", "latency_p99_ms", "throughput_per_s")
"""What comes from the stopwatch of one comparison, and is known to the study's resolution at best."""


@dataclass(frozen=True)
class Objective:
    """A measured quantity, with the direction in which it is better."""

    name: str
    direction: Direction
    unit: str

    def to_json(self) -> dict[str, str]:
        """Name, direction and unit."""
        return {"name": self.name, "direction": self.direction, "unit": self.unit}


def find_objectives(names: Sequence[str]) -> tuple[Objective, ...]:
    """The objectives of these names.

    Raises:
        RequestError: A name is not a measured quantity.
    """
    for name in names:
        if name not in QUANTITIES:
            raise RequestError(f"--objective {name}: not measured here; allowed are {', '.join(QUANTITIES)}")
    return tuple(Objective(q.name, q.direction, q.unit) for q in (QUANTITIES[name] for name in names))


def losses(
    objectives: Sequence[Objective], measurement: Mapping[str, Any], baseline: Mapping[str, Any]
) -> NDArray[np.float64]:
    """One number to minimise for each objective, shape ``(n_objectives,)``; the reference point is 1 in all.

    Quality counts from perfect (0) to ten points below the baseline (1); a cost from free (0) to the
    baseline's (1); a rate from endless (0) to the baseline's (1). What could not be measured counts as endless.
    """
    return np.array([_loss(o, measurement.get(_figure(o)), baseline) for o in objectives], dtype=float)


def loss_ends(
    objectives: Sequence[Objective],
    measurement: Mapping[str, Any],
    baseline: Mapping[str, Any],
    resolution: float = 0.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`losses` at the better and at the worse ends of the 95 % intervals, each of shape ``(n_objectives,)``.

    What has no interval counts as known exactly. The better end of what is `TIMED` lies further out by the factor
    1 + ``resolution``: one point's worse end is beyond another's better end only where the ratio of the figures
    themselves is beyond that factor.
    """
    ends = [_ends(objective, measurement, resolution) for objective in objectives]
    best, worst = (
        np.array([_loss(o, value, baseline) for o, value in zip(objectives, values, strict=True)], dtype=float)
        for values in (list(zip(*ends, strict=True)) or [(), ()])
    )
    points = losses(objectives, measurement, baseline)
    return np.minimum(best, points), np.maximum(worst, points)  # an estimate may lie outside its bootstrap interval


def _ends(objective: Objective, measurement: Mapping[str, Any], resolution: float) -> tuple[float | None, float | None]:
    """The better and the worse end of an objective's figure."""
    name = _figure(objective)
    value = measurement.get(name)
    if value is None:
        return None, None
    low, high = measurement.get(f"{name}_ci95") or (value, value)
    margin = 1 + resolution if name in TIMED else 1.0
    more_is_better = name == "accuracy" or objective.direction == "maximize"
    return (high * margin, low) if more_is_better else (low / margin, high)


def _figure(objective: Objective) -> str:
    """The figure that an objective is judged by; a drop in accuracy is as certain as the accuracy."""
    return "accuracy" if objective.name == "accuracy_drop" else objective.name


def _loss(objective: Objective, figure: float | None, baseline: Mapping[str, Any]) -> float:
    if figure is None:
        return float("inf")
    value, reference = float(figure), float(baseline.get(_figure(objective)) or 0.0)
    if _figure(objective) == "accuracy":
        return (1 - value) / (1 - reference + TOLERATED_DROP)
    if objective.direction == "maximize":
        return reference / value if value > 0 else float("inf")
    return value / reference if reference > 0 else value / (1 + value)
