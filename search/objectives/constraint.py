"""Bounds that a candidate must keep, such as ``latency_p90_ms<=5``."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from runners.measuring.measurement import QUANTITIES
from spaces.setting_error import SettingError, did_you_mean

Operator = Literal["<=", ">="]
UNTIMED = ("size_mib", "macs", "parameters", "peak_memory_mib")
"""Quantities that do not depend on how busy the machine was."""
_WRITTEN = re.compile(r"\s*(\w+)\s*(<=|>=)\s*(\S+)\s*")


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
            near = did_you_mean(self.quantity, QUANTITIES)
            raise SettingError(f"unknown quantity {self.quantity!r}; allowed are {', '.join(QUANTITIES)}{near}")
        if self.operator not in ("<=", ">="):
            raise SettingError(f"a bound is written with <= or >=, not {self.operator}")
        if not math.isfinite(self.bound):
            raise SettingError(f"the bound must be a finite number, in {self._unit}")
        object.__setattr__(self, "bound", float(self.bound))

    @classmethod
    def parse(cls, text: str) -> "Constraint":
        """The constraint that ``str`` wrote, or that a person did; blanks do not matter.

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

    def holds(self, measurement: Mapping[str, Any]) -> bool:
        """Whether the measured value keeps the bound. A value that is not known keeps none."""
        return measurement.get(self.quantity) is not None and self.violation(measurement) <= 0

    def violation(self, measurement: Mapping[str, Any]) -> float:
        """How far the measured value is beyond the bound; at most 0 is feasible.

        It is a share of the bound where the bound is not 0, so that milliseconds and fractions can be added up.

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


def trusted(figures: Mapping[str, Any]) -> Mapping[str, Any]:
    """What of the ``figures`` of a screening may settle a bound: all, or where its timing is in doubt the `UNTIMED`."""
    return {n: value for n, value in figures.items() if n in UNTIMED} if figures.get("unstable") else figures


def _number(text: str) -> float:
    try:
        return float(text) if "_" not in text else math.nan
    except ValueError:
        return math.nan
