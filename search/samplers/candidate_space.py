"""The candidates that a sampler chooses among: all of a small space, a sample of a large one."""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, product
from typing import Protocol

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

from search.samplers.distribution_values import levels, size_of, value_at
from search.samplers.encoding import Scale
from search.samplers.recorded_draws import distributions_of
from spaces.configuration import Configuration, Scalar
from spaces.search_space import SearchSpace

_STEPS = 12
"""Values of one feature that are tried around a candidate."""


def key_of(features: Mapping[str, Scalar]) -> Hashable:
    """What two candidates share exactly when they are the same."""
    return frozenset(features.items())


class Candidates(Protocol):
    """A discrete space; a candidate is the mapping of its features."""

    @property
    def scales(self) -> Mapping[str, Scale]:
        """The values of each feature."""

    def every(self, limit: int) -> list[Mapping[str, Scalar]]:
        """All candidates; an empty list where there are more than ``limit``."""

    def draw(self, wanted: Mapping[str, Scalar], random: np.random.Generator) -> Mapping[str, Scalar]:
        """A random candidate that has the ``wanted`` features wherever it can."""

    def features(self, trial: FrozenTrial) -> Mapping[str, Scalar] | None:
        """The candidate that ``trial`` runs or ran; None where the trial does not say."""

    def parameters(self, candidate: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """What a trial of this candidate is told for the parameters it asks for."""

    def distributions(self, candidate: Mapping[str, Scalar]) -> dict[str, BaseDistribution]:
        """The distributions of these parameters."""


@dataclass(frozen=True)
class DistributionCandidates:
    """Every combination of the values of Optuna distributions.

    Raises:
        ValueError: A float has no step, so that its values cannot be listed.
    """

    space: Mapping[str, BaseDistribution]

    def __post_init__(self) -> None:
        for distribution in self.space.values():
            size_of(distribution)

    @cached_property
    def scales(self) -> Mapping[str, Scale]:
        """The values of each parameter; of a long range a thousand of them."""
        return {name: Scale(levels(distribution)) for name, distribution in self.space.items()}

    def every(self, limit: int) -> list[Mapping[str, Scalar]]:
        """The product of all values, or nothing where it is larger than ``limit``."""
        sizes = [size_of(distribution) for distribution in self.space.values()]
        if np.prod([float(size) for size in sizes]) > limit:
            return []
        values = [[value_at(d, i) for i in range(size)] for d, size in zip(self.space.values(), sizes, strict=True)]
        return [dict(zip(self.space, combination, strict=True)) for combination in product(*values)]

    def draw(self, wanted: Mapping[str, Scalar], random: np.random.Generator) -> Mapping[str, Scalar]:
        """Each parameter as wanted, or uniformly among its values."""
        return {
            name: wanted[name] if name in wanted else value_at(d, int(random.integers(size_of(d))))
            for name, d in self.space.items()
        }

    def features(self, trial: FrozenTrial) -> Mapping[str, Scalar] | None:
        """The trial's parameters, where it has all of them."""
        known = trial.params or trial.system_attrs.get("fixed_params", {})  # one that was enqueued has the latter
        return {name: known[name] for name in self.space} if all(name in known for name in self.space) else None

    def parameters(self, candidate: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """The candidate itself."""
        return dict(candidate)

    def distributions(self, candidate: Mapping[str, Scalar]) -> dict[str, BaseDistribution]:
        """The space as it was given."""
        return dict(self.space)


@dataclass(frozen=True)
class SpaceCandidates:
    """The configurations of a search space; their choices are the features."""

    space: SearchSpace

    @cached_property
    def scales(self) -> Mapping[str, Scale]:
        """The offered values of each axis, and the one that leaves the teacher as it is."""
        neutral = self.space.baseline()
        offered = {axis.name: dict.fromkeys(axis.values) for axis in self.space.axes}
        return {
            name: Scale(tuple(values | ({neutral[name]: None} if name in neutral else {})))
            for name, values in offered.items()
        }

    def every(self, limit: int) -> list[Mapping[str, Scalar]]:
        """Every configuration, or nothing where there are more than ``limit``."""
        listed: list[Mapping[str, Scalar]] = list(islice(self.space.configurations(), limit + 1))
        return listed if len(listed) <= limit else []

    def draw(self, wanted: Mapping[str, Scalar], random: np.random.Generator) -> Mapping[str, Scalar]:
        """One value after another: the wanted one where it can run, another that can where not."""
        chosen: dict[str, Scalar] = {}
        for index, axis in enumerate(self.space.axes):
            options = self.space.options(index, chosen)
            if options:
                value = wanted.get(axis.name)
                if value is None or value not in options:
                    value = options[int(random.integers(len(options)))]
                chosen[axis.name] = value
        return Configuration(chosen)

    def features(self, trial: FrozenTrial) -> Mapping[str, Scalar] | None:
        """The configuration that the driver wrote down for the trial."""
        text = trial.user_attrs.get("configuration")
        return Configuration.from_json(text) if text else None

    def parameters(self, candidate: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """The names and values with which the space draws this configuration."""
        return self.space.trial_parameters(candidate)

    def distributions(self, candidate: Mapping[str, Scalar]) -> dict[str, BaseDistribution]:
        """The choices that the trial is offered at each of them."""
        return dict(distributions_of(self.space, candidate))


def neighbours(
    candidates: Candidates, candidate: Mapping[str, Scalar], random: np.random.Generator
) -> Iterator[Mapping[str, Scalar]]:
    """Candidates that differ from one in one feature, and in what must change with it; ordered ones by one step too."""
    for name, scale in candidates.scales.items():
        if name in candidate:
            values = [value for value in scale.values if value != candidate[name]]
            if len(values) > _STEPS:
                values = [values[int(i)] for i in random.choice(len(values), _STEPS, replace=False)]
            for value in values:
                yield candidates.draw({**candidate, name: value}, random)


def as_candidates(space: "Candidates | SearchSpace | Mapping[str, BaseDistribution]") -> Candidates:
    """What a sampler needs, made from whatever describes the space."""
    if isinstance(space, SearchSpace):
        return SpaceCandidates(space)
    return DistributionCandidates(space) if isinstance(space, Mapping) else space
