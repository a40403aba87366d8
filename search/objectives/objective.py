"""What a search optimises: measured quantities, each with the direction in which it is better."""

from collections.abc import Sequence
from dataclasses import dataclass

from runners.measuring.measurement import QUANTITIES, Direction
from spaces.errors import RequestError


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
