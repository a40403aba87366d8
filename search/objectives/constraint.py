"""Constraints on measured quantities, such as ``latency_p90_ms<=5``."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from runners.measuring.measurement import QUANTITIES
from spaces.setting_error import SettingError, did_you_mean

Operator = Literal["<=", ">="]
UNTIMED = ("size_mib", "stored_mib", "macs", "parameters", "peak_memory_mib")
"""Quantities that do not depend on the load of the machine."""
_FORM = r"\s*({quantity})\s*(<=|>=)\s*(\S+)\s*"
_WRITTEN = re.compile(_FORM.format(quantity=r"\w+"))
CONSTRAINT_SCHEMA: Mapping[str, Any] = {
    "type": "string",
    "pattern": f"^{_FORM.format(quantity='|'.join(QUANTITIES))}$",
}
"""The JSON schema of a constraint as text."""


def allowed_quantities(given: object) -> str:
    """What a message says of the quantities that are measured, with the one that is most like ``given``."""
    rest = ", ".join(name for name in QUANTITIES if name != "accuracy")
    near = did_you_mean(given, QUANTITIES)
    return f"allowed are accuracy (the workload's own metric, whatever its name), {rest}{near}"


@dataclass(frozen=True)
class Constraint:
    """A quantity of a `Measurement` that must be at most or at least ``bound``, in the quantity's own unit.

    Raises:
        SettingError: The quantity is not measured, the operator is another one, or the bound is not finite.
    """

    quantity: str
    operator: Operator
    bound: float

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise SettingError(f"unknown quantity {self.quantity!r}; {allowed_quantities(self.quantity)}")
        if self.operator not in ("<=", ">="):
            raise SettingError(f"a bound is written with <= or >=, not {self.operator}")
        if not math.isfinite(self.bound):
            raise SettingError(f"the bound must be a finite number, in {self._unit}")
        object.__setattr__(self, "bound", float(self.bound))

    @classmethod
    def parse(cls, text: str) -> "Constraint":
        """The constraint written as text, such as ``latency_p90_ms<=5``; the inverse of ``str``. Blanks do not matter.

        Raises:
            SettingError: The text is not a quantity, ``<=`` or ``>=``, and a finite number.
        """
        match = _WRITTEN.fullmatch(text)
        if not match:
            raise SettingError("give a quantity, <= or >=, and a number, such as latency_p90_ms<=5 or accuracy>=0.95")
        quantity, operator, bound = match.groups()
        return cls(quantity, "<=" if operator == "<=" else ">=", _number(bound))

    def __str__(self) -> str:
        whole = self.bound.is_integer() and abs(self.bound) < 1e15
        return f"{self.quantity}{self.operator}{int(self.bound) if whole else self.bound!r}"

    def is_satisfied(self, measurement: Mapping[str, Any]) -> bool:
        """Whether the measured value is within the bound; False where the quantity was not measured."""
        return measurement.get(self.quantity) is not None and self.violation(measurement) <= 0

    def violation(self, measurement: Mapping[str, Any]) -> float:
        """How far the measured value is beyond the bound; a value of at most 0 is feasible.

        It is relative to the bound where the bound is not 0, so that violations in different units can be added up.

        Raises:
            ValueError: The quantity was not measured.
        """
        value = measurement.get(self.quantity)
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError(f"{self.quantity} was not measured, so whether {self} holds is not known")
        beyond = value - self.bound if self.operator == "<=" else self.bound - value
        return float(beyond / (abs(self.bound) or 1.0))

    @property
    def _unit(self) -> str:
        return QUANTITIES[self.quantity].unit


def is_feasible(measurement: Mapping[str, Any], constraints: Iterable[Constraint]) -> bool:
    """Whether every constraint is satisfied; one on a quantity that was not measured is not."""
    return all(constraint.is_satisfied(measurement) for constraint in constraints)


def without_unstable_timings(measurement: Mapping[str, Any]) -> Mapping[str, Any]:
    """The quantities that are reliable enough to reject a candidate: all, or where the timing is unstable `UNTIMED`."""
    if not measurement.get("unstable"):
        return measurement
    return {name: value for name, value in measurement.items() if name in UNTIMED}


def _number(text: str) -> float:
    try:
        return float(text) if "_" not in text else math.nan
    except ValueError:
        return math.nan
