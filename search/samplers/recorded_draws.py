"""What a search space asks a trial for: the distributions of its parameters, and answers from a sampler."""

from collections.abc import Callable, Mapping

from optuna import Study
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from spaces.configuration import Configuration, Scalar
from spaces.search_space import SearchSpace


def distributions_of(space: SearchSpace, configuration: Mapping[str, Scalar]) -> dict[str, CategoricalDistribution]:
    """The distributions by parameter that ``space`` asks a trial for when it draws ``configuration``."""
    parameters = space.trial_parameters(configuration)
    draws = _RecordedDraws(lambda name, distribution: parameters[name])
    space.draw(draws)
    return draws.distributions


def draw_from_sampler(space: SearchSpace, sampler: BaseSampler, study: Study, trial: FrozenTrial) -> Configuration:
    """The configuration that ``space`` draws with the values that ``sampler`` gives for ``trial``."""
    relative = sampler.sample_relative(study, trial, sampler.infer_relative_search_space(study, trial))

    def value_of(name: str, distribution: CategoricalDistribution) -> Scalar:
        if name in relative:
            value: Scalar = relative[name]
        else:
            value = sampler.sample_independent(study, trial, name, distribution)
        return value

    return space.draw(_RecordedDraws(value_of))


class _RecordedDraws:
    """Stands in for a trial in `SearchSpace.draw`.

    Args:
        value_of: Gives the value of a parameter.

    Attributes:
        distributions: The distributions that were asked for, by parameter.
    """

    def __init__(self, value_of: Callable[[str, CategoricalDistribution], Scalar]) -> None:
        self._value_of = value_of
        self.distributions: dict[str, CategoricalDistribution] = {}

    def suggest_categorical(self, name: str, choices: tuple[Scalar, ...], /) -> Scalar:
        """The value of a parameter, as a trial gives it."""
        distribution = self.distributions[name] = CategoricalDistribution(choices)
        return self._value_of(name, distribution)
