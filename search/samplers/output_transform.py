"""Losses on the scale where a model of them is fair: the logarithm of how far they are above the best one seen."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHARE = 0.3
"""How far below the best value the scale reaches, as a share of the distance from the best to the median."""


@dataclass(frozen=True)
class ShiftedLog:
    """``log(y + shift)``, in which Gaussian beliefs about ``y`` are held.

    A column of losses has a long tail of bad values (networks that learn nothing) and its interesting end packed
    together. On this scale the tail is short and the interesting end spread out.
    """

    shift: float

    @classmethod
    def of(cls, values: Floats, reach: float = np.inf) -> "ShiftedLog":
        """The scale for ``values``, shape ``(n,)``, that can also express ``reach`` where that lies below them."""
        lowest = min(float(values.min()), reach)
        spread = float(np.median(values)) - lowest or float(np.ptp(values)) or abs(lowest) or 1.0
        return cls(SHARE * spread - lowest)

    def forward(self, values: Floats) -> Floats:
        """Values on the scale, of the same shape; what lies below its end is put at the end."""
        logs: Floats = np.log(np.maximum(values + self.shift, 1e-12))
        return logs

    def median(self, mean: Floats) -> Floats:
        """The values that beliefs of this mean hold to be as likely too high as too low."""
        values: Floats = np.exp(mean) - self.shift
        return values

    def below(self, bound: float, mean: Floats, sd: Floats) -> Floats:
        """The probability that the value is at most ``bound``."""
        return _normal(_standard(bound + self.shift, mean, sd))

    def shortfall(self, bound: float, mean: Floats, sd: Floats) -> Floats:
        """The expectation of ``max(bound - y, 0)``: that of an option to sell, in closed form."""
        room = bound + self.shift
        if room <= 0:
            return np.zeros_like(mean)
        depth = _standard(room, mean, sd)
        gap: Floats = room * _normal(depth) - np.exp(np.minimum(mean + sd**2 / 2, 700.0)) * _normal(depth - sd)
        return np.maximum(gap, 0.0)


def _standard(room: float, mean: Floats, sd: Floats) -> Any:
    return (np.log(room) - mean) / sd if room > 0 else np.full_like(mean, -np.inf)


def _normal(depth: Floats) -> Floats:
    from scipy.special import ndtr

    probability: Floats = ndtr(depth)
    return probability
