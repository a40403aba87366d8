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
    baseline's (1); a rate from endless (0) to the baseline's (1).
    """
    return np.array([_loss(objective, measurement, baseline) for objective in objectives], dtype=float)


def _loss(objective: Objective, measurement: Mapping[str, Any], baseline: Mapping[str, Any]) -> float:
    if objective.name in ("accuracy", "accuracy_drop"):
        return float((1 - measurement["accuracy"]) / (1 - baseline["accuracy"] + TOLERATED_DROP))
    value, reference = float(measurement[objective.name]), float(baseline[objective.name])
    if objective.direction == "maximize":
        return reference / value if value > 0 else float("inf")
    return value / reference if reference > 0 else value / (1 + value)
