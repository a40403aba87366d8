"""Stands in for a trial, to see what a search space asks one and what it is told."""

from collections.abc import Callable, Mapping

from optuna import Study
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from spaces.configuration import Scalar
from spaces.search_space import SearchSpace


class RecordedDraws:
    """Answers every question of `SearchSpace.draw`.

    Attributes:
        distributions: What was asked, by parameter.
        values: What was answered.
    """

    def __init__(self, answer: Callable[[str], Scalar]) -> None:
        self._answer = answer
        self.distributions: dict[str, CategoricalDistribution] = {}
        self.values: dict[str, Scalar] = {}

    def suggest_categorical(self, name: str, choices: tuple[Scalar, ...], /) -> Scalar:
        """What a trial would be told."""
        self.distributions[name] = CategoricalDistribution(choices)
        self.values[name] = self._answer(name)
        return self.values[name]

    @classmethod
    def replayed(cls, space: SearchSpace, configuration: Mapping[str, Scalar]) -> "RecordedDraws":
        """The questions and answers with which ``space`` draws ``configuration``."""
        answers = cls(space.trial_parameters(configuration).__getitem__)
        space.draw(answers)
        return answers

    @classmethod
    def of_sampler(cls, sampler: BaseSampler, study: Study, trial: FrozenTrial) -> "RecordedDraws":
        """Answers as ``sampler`` gives them for ``trial``."""
        relative = sampler.sample_relative(study, trial, sampler.infer_relative_search_space(study, trial))
        answers = cls(lambda name: "")

        def answer(name: str) -> Scalar:
            if name in relative:
                value: Scalar = relative[name]
                return value
            drawn: Scalar = sampler.sample_independent(study, trial, name, answers.distributions[name])
            return drawn

        answers._answer = answer
        return answers
