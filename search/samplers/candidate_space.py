"""The candidates that a sampler chooses among: a discrete space of Optuna distributions or of configurations."""

import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, product

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

from search.samplers.recorded_draws import distributions_of
from spaces.configuration import Configuration, Scalar
from spaces.search_space import SearchSpace

Candidate = Mapping[str, Scalar]
"""One point of the space: a value for each parameter that it has."""

_MAX_NEIGHBOURS = 12
"""Other values of one parameter that are tried around a candidate."""

_MAX_LEVELS = 1_000
"""Values of a numeric parameter that are listed; those of a longer range are listed with gaps."""


@dataclass(frozen=True)
class DistributionSpace:
    """Every combination of the values of Optuna distributions.

    Attributes:
        search_space: Distributions by parameter; floats need a step.

    Raises:
        ValueError: A float distribution has no step, so that it is not discrete.
    """

    search_space: Mapping[str, BaseDistribution]

    def __post_init__(self) -> None:
        for distribution in self.search_space.values():
            _size(distribution)

    @cached_property
    def parameter_values(self) -> Mapping[str, tuple[Scalar, ...]]:
        """The values of each parameter, those of a long numeric range with gaps."""
        return {name: _listed_values(distribution) for name, distribution in self.search_space.items()}

    def enumerate(self, limit: int) -> list[Candidate]:
        """The product of all values; an empty list where it has more than ``limit``."""
        if math.prod(_size(distribution) for distribution in self.search_space.values()) > limit:
            return []
        values = [[_value(d, index) for index in range(_size(d))] for d in self.search_space.values()]
        return [dict(zip(self.search_space, combination, strict=True)) for combination in product(*values)]

    def sample(self, fixed: Candidate, rng: np.random.Generator) -> Candidate:
        """A random candidate with the ``fixed`` values, the others drawn uniformly."""
        candidate: dict[str, Scalar] = {}
        for name, distribution in self.search_space.items():
            if name in fixed:
                candidate[name] = fixed[name]
            else:
                candidate[name] = _value(distribution, int(rng.integers(_size(distribution))))
        return candidate

    def candidate_of(self, trial: FrozenTrial) -> Candidate | None:
        """The parameters of ``trial``; None where it lacks some of them. An enqueued trial has those it will get."""
        enqueued = trial.system_attrs.get("fixed_params", {})
        parameters = trial.params or enqueued
        if not all(name in parameters for name in self.search_space):
            return None
        return {name: parameters[name] for name in self.search_space}

    def parameters(self, candidate: Candidate) -> dict[str, Scalar]:
        """The parameters of a trial of this candidate: the candidate itself."""
        return dict(candidate)

    def distributions(self, candidate: Candidate) -> dict[str, BaseDistribution]:
        """The distributions of these parameters, as they were given."""
        return dict(self.search_space)


@dataclass(frozen=True)
class ConfigurationSpace:
    """The configurations of a `SearchSpace`, which depend on what can run together.

    Attributes:
        space: The search space.
    """

    space: SearchSpace

    @cached_property
    def parameter_values(self) -> Mapping[str, tuple[Scalar, ...]]:
        """The offered values of each axis, and the baseline's."""
        baseline = self.space.baseline()
        values = {}
        for axis in self.space.axes:
            listed = dict.fromkeys(axis.values)
            if axis.name in baseline:
                listed[baseline[axis.name]] = None
            values[axis.name] = tuple(listed)
        return values

    def enumerate(self, limit: int) -> list[Candidate]:
        """Every configuration; an empty list where there are more than ``limit``."""
        listed: list[Candidate] = list(islice(self.space.configurations(), limit + 1))
        return listed if len(listed) <= limit else []

    def sample(self, fixed: Candidate, rng: np.random.Generator) -> Candidate:
        """A random configuration, drawn axis by axis: the ``fixed`` value where it is supported, another where not."""
        chosen: dict[str, Scalar] = {}
        for index, axis in enumerate(self.space.axes):
            order = [axis.values[int(position)] for position in rng.permutation(len(axis.values))]
            if axis.name in fixed and fixed[axis.name] in axis.values:
                order.insert(0, fixed[axis.name])
            value = self.space.first_option(index, chosen, order)
            if value is not None:
                chosen[axis.name] = value
        return Configuration(chosen)

    def candidate_of(self, trial: FrozenTrial) -> Candidate | None:
        """The configuration that the driver keeps in the trial's attribute ``configuration``; None without it."""
        text = trial.user_attrs.get("configuration")
        return Configuration.from_json(text) if text else None

    def parameters(self, candidate: Candidate) -> dict[str, Scalar]:
        """The parameters of a trial of this configuration, by the names that the search space asks for."""
        return self.space.trial_parameters(candidate)

    def distributions(self, candidate: Candidate) -> dict[str, BaseDistribution]:
        """The distributions of these parameters: the choices that the search space offers the trial."""
        return dict(distributions_of(self.space, candidate))


CandidateSpace = DistributionSpace | ConfigurationSpace


def make_candidate_space(space: SearchSpace | Mapping[str, BaseDistribution]) -> CandidateSpace:
    """The candidates of a search space or of Optuna distributions by parameter.

    Raises:
        ValueError: A float distribution has no step, so that it is not discrete.
    """
    return ConfigurationSpace(space) if isinstance(space, SearchSpace) else DistributionSpace(space)


def candidate_key(candidate: Candidate) -> Hashable:
    """A key that is equal for equal candidates, in whatever order they list their parameters."""
    return frozenset(candidate.items())


def neighbours(space: CandidateSpace, candidate: Candidate, rng: np.random.Generator) -> Iterator[Candidate]:
    """Candidates with another value of one parameter of ``candidate``; others change only where they must with it."""
    for name, listed in space.parameter_values.items():
        if name not in candidate:
            continue
        values = [value for value in listed if value != candidate[name]]
        if len(values) > _MAX_NEIGHBOURS:
            values = [values[int(index)] for index in rng.choice(len(values), _MAX_NEIGHBOURS, replace=False)]
        for value in values:
            yield space.sample({**candidate, name: value}, rng)


def _size(distribution: BaseDistribution) -> int:
    """How many values a distribution has.

    Raises:
        ValueError: The distribution is continuous.
    """
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    if distribution.step is None:
        raise ValueError(f"{distribution} has no step; give it one, or list its values as categories")
    return round((distribution.high - distribution.low) / distribution.step) + 1


def _value(distribution: BaseDistribution, index: int) -> Scalar:
    """The value at a position from 0 to `_size` - 1."""
    if isinstance(distribution, CategoricalDistribution):
        choice: Scalar = distribution.choices[index]  # type: ignore[assignment]
        return choice
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    # Rounding may put the last value beyond the end: 0 + 3 * 0.1 > 0.3. Optuna takes the end there, too.
    return min(distribution.low + index * (distribution.step or 1), distribution.high)


def _listed_values(distribution: BaseDistribution) -> tuple[Scalar, ...]:
    """All values in their order; some of a long range, equally spaced on the distribution's linear or log scale."""
    size = _size(distribution)
    if size <= _MAX_LEVELS or isinstance(distribution, CategoricalDistribution):
        return tuple(_value(distribution, index) for index in range(size))
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    spaced = np.geomspace(1, size, _MAX_LEVELS) - 1 if distribution.log else np.linspace(0, size - 1, _MAX_LEVELS)
    return tuple(_value(distribution, int(index)) for index in np.unique(spaced.astype(int)))
