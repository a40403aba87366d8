"""The values of Optuna's distributions, by number."""

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from spaces.configuration import Scalar

LEVELS = 1_000
"""Values of a number that are listed; a longer range is listed with gaps, between which positions are found."""


def size_of(distribution: BaseDistribution) -> int:
    """How many values there are.

    Raises:
        ValueError: The distribution is continuous.
    """
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    if distribution.step is None:
        raise ValueError(f"{distribution} has no step; give it one, or list its values as categories")
    return round((distribution.high - distribution.low) / distribution.step) + 1


def value_at(distribution: BaseDistribution, index: int) -> Scalar:
    """The value of this number, from 0 to `size_of` - 1."""
    if isinstance(distribution, CategoricalDistribution):
        choice: Scalar = distribution.choices[index]  # type: ignore[assignment]
        return choice
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    return distribution.low + index * (distribution.step or 1)


def levels(distribution: BaseDistribution) -> tuple[Scalar, ...]:
    """All values in their order, or some of a long range, spread as the distribution is."""
    size = size_of(distribution)
    if size <= LEVELS or isinstance(distribution, CategoricalDistribution):
        return tuple(value_at(distribution, index) for index in range(size))
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    spaced = np.geomspace(1, size, LEVELS) - 1 if distribution.log else np.linspace(0, size - 1, LEVELS)
    return tuple(value_at(distribution, int(index)) for index in np.unique(spaced.astype(int)))
