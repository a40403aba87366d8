"""What a search optimises: measured quantities, each with the direction in which it is better."""

from collections.abc import Sequence
from dataclasses import dataclass

from runners.measuring.measurement import QUANTITIES
from runners.metric import ACCURACY, Direction, QualityMetric
from spaces.errors import RequestError

IN_THE_METRICS_UNIT = ("accuracy", "accuracy_drop")
"""Quantities whose unit is that of the workload's metric."""


@dataclass(frozen=True)
class Objective:
    """A measured quantity, with the direction in which it is better.

    Attributes:
        name: The field of `Measurement`.
        direction: The direction in which it is better.
        unit: Its unit.
        metric: What an accuracy is, by which drops in accuracy are compared too.
    """

    name: str
    direction: Direction
    unit: str
    metric: QualityMetric = ACCURACY

    def to_json(self) -> dict[str, str]:
        """Name, direction and unit."""
        return {"name": self.name, "direction": self.direction, "unit": self.unit}


def find_objectives(names: Sequence[str], metric: QualityMetric = ACCURACY) -> tuple[Objective, ...]:
    """The objectives of these names, for a workload with this ``metric``.

    Raises:
        RequestError: A name is not a measured quantity.
    """
    for name in names:
        if name not in QUANTITIES:
            raise RequestError(f"--objective {name}: not measured here; allowed are {', '.join(QUANTITIES)}")
    return tuple(_objective(name, metric) for name in names)


def _objective(name: str, metric: QualityMetric) -> Objective:
    quantity = QUANTITIES[name]
    direction = metric.direction if name == "accuracy" else quantity.direction
    return Objective(name, direction, metric.unit if name in IN_THE_METRICS_UNIT else quantity.unit, metric)
