"""Posterior distributions of targets, in closed form: Gaussian after a logarithmic output transform."""

from dataclasses import dataclass

import numpy as np

from search.objectives.arrays import Floats

_SHIFT_SHARE = 0.3
"""How far below the best value the transform reaches, as a share of the distance from the best value to the median."""


@dataclass(frozen=True)
class ShiftedLog:
    """The output transform ``log(y + shift)``, after which a target is modelled by a Gaussian process.

    Losses have a long tail of bad values (networks that learn nothing), and the interesting ones lie close together.
    The transform shortens the tail and spreads the values near the best one.

    Attributes:
        shift: Its negative is the smallest value of which the transform is defined.
    """

    shift: float

    @classmethod
    def fit(cls, values: Floats, lowest: float = np.inf) -> "ShiftedLog":
        """The transform for ``values`` ``(n,)``, all finite; it is defined somewhat below the smallest of them.

        Args:
            values: What was observed.
            lowest: A further value of which the transform shall be defined, as a bound that none of them satisfies.
        """
        smallest = min(float(values.min()), lowest)
        spread = float(np.median(values)) - smallest or float(np.ptp(values)) or abs(smallest) or 1.0
        return cls(_SHIFT_SHARE * spread - smallest)

    def transform(self, values: Floats) -> Floats:
        """The transformed values, of the same shape; one below the domain is treated as its lower end."""
        transformed: Floats = np.log(np.maximum(values + self.shift, 1e-12))
        return transformed

    def inverse(self, transformed: Floats) -> Floats:
        """The values that `transform` turns into ``transformed``."""
        values: Floats = np.exp(transformed) - self.shift
        return values


@dataclass(frozen=True)
class Posterior:
    """The posterior of one target of ``n`` candidates: observed exactly, or else Gaussian after the transform.

    Attributes:
        transform: The output transform.
        observed: Observed values ``(n,)``, NaN where nothing was observed.
        mean: Posterior means of the transformed values, ``(n,)``.
        std: Posterior standard deviations of the transformed values, ``(n,)``.
    """

    transform: ShiftedLog
    observed: Floats
    mean: Floats
    std: Floats

    def median(self) -> Floats:
        """The observed values, and the posterior medians of the others, shape ``(n,)``."""
        return np.where(np.isnan(self.observed), self.transform.inverse(self.mean), self.observed)

    def probability_below(self, bound: float) -> Floats:
        """The probability that the value is at most ``bound``, shape ``(n,)``; 0 or 1 where it was observed."""
        probability = (self.observed <= bound).astype(float)
        unknown = np.isnan(self.observed)
        if unknown.any():
            standardised = _standardised(bound + self.transform.shift, self.mean[unknown], self.std[unknown])
            probability[unknown] = _normal_cdf(standardised)
        return probability

    def expected_improvement(self, bound: float) -> Floats:
        """The expectation of ``max(bound - y, 0)``, shape ``(n,)``; exact where ``y`` was observed."""
        improvement = np.maximum(bound - self.observed, 0.0)
        unknown = np.isnan(self.observed)
        if unknown.any():
            strike = bound + self.transform.shift
            improvement[unknown] = _put_option(strike, self.mean[unknown], self.std[unknown])
        return improvement


def _put_option(strike: float, mean: Floats, std: Floats) -> Floats:
    """The expectation of ``max(strike - x, 0)`` where ``log(x)`` is Gaussian (Black and Scholes, 1973)."""
    if strike <= 0:
        return np.zeros_like(mean)
    depth = _standardised(strike, mean, std)
    expectation = np.exp(np.minimum(mean + std**2 / 2, 700.0))
    value: Floats = strike * _normal_cdf(depth) - expectation * _normal_cdf(depth - std)
    return np.maximum(value, 0.0)


def _standardised(value: float, mean: Floats, std: Floats) -> Floats:
    """How many standard deviations the logarithm of ``value`` lies above the mean; minus infinity for 0 and below."""
    if value <= 0:
        return np.full_like(mean, -np.inf)
    standardised: Floats = (np.log(value) - mean) / std
    return standardised


def _normal_cdf(standardised: Floats) -> Floats:
    from scipy.special import ndtr

    probability: Floats = ndtr(standardised)
    return probability
