"""Any Optuna sampler, made never to propose a configuration twice."""

from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from search.samplers.ehvi_sampler import EHVISampler
from search.samplers.recorded_draws import RecordedDraws
from spaces.configuration import Configuration, Scalar
from spaces.search_space import SearchSpace
from spaces.technique import Stage

ATTEMPTS = 8
ENUMERATED = 200_000


class DistinctSampler(BaseSampler):
    """Starting points first, then what ``inner`` proposes, then any untried configuration.

    In a small discrete space a model-based sampler proposes its favourite again and again. Here a whole
    configuration is drawn before the trial exists, so a repeat is drawn anew instead of run anew.

    Args:
        inner: Proposes values.
        space: Turns values into a configuration.
        tried: Canonical forms of what was proposed already; this sampler adds to it.
        first: Configurations to begin with.
        seed: Of the choice among untried configurations.
    """

    def __init__(
        self,
        inner: BaseSampler,
        space: SearchSpace,
        tried: set[str],
        first: Sequence[Configuration] = (),
        seed: int = 0,
    ) -> None:
        self._inner = inner
        self._space = space
        self._tried = tried
        self._first = list(first)
        self._random = np.random.default_rng(seed)
        self._values: dict[str, Scalar] = {}
        self.proposed = space.baseline()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters of the configuration proposed for ``trial``, which is settled here."""
        self._values = {}
        self.proposed = self._propose(study, trial)
        self._tried.add(self.proposed.canonical())
        if not self._space.contains(self.proposed):
            return {}
        replay = RecordedDraws.replayed(self._space, self.proposed)
        self._values = replay.values
        return dict(replay.distributions)

    def settle(self, trial: Trial) -> Configuration:
        """The configuration proposed for ``trial``; Optuna asks a sampler only when it is first needed."""
        _ = trial.relative_params
        return self.proposed

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The values of the configuration that was settled."""
        return dict(self._values)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """For a parameter outside the space: what ``inner`` says."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)

    def learn(
        self, configuration: Configuration, columns: NDArray[np.float64] | None, *, looked_up: bool = True
    ) -> None:
        """Take in what is known of a candidate before it is trained; None leaves it alone from now on.

        Only a `EHVISampler` uses it.

        Args:
            configuration: The candidate.
            columns: Those of `search.objectives.trial_targets.TrialTargets`, NaN where unknown.
            looked_up: Whether it was timed in this study, or else is known from an earlier one.
        """
        if columns is None:
            self._tried.add(configuration.canonical())
        if not isinstance(self._inner, EHVISampler):
            return
        if columns is None:
            self._inner.leave_out(configuration)
        else:
            self._inner.learn(configuration, columns, looked_up=looked_up)

    def shortlist(self, study: Study, count: int) -> list[Configuration]:
        """Up to ``count`` candidates that are most worth timing before one is chosen; none without a `EHVISampler`."""
        if not isinstance(self._inner, EHVISampler) or self._first:
            return []
        found = [Configuration(features) for features in self._inner.shortlist(study, count)]
        return [configuration for configuration in found if configuration.canonical() not in self._tried]

    def weigh(self, cost_ratio: float) -> None:
        """Tell what training costs beside the rest of a trial, so that gains are weighed against it."""
        if isinstance(self._inner, EHVISampler) and self._inner.work:
            self._inner.work.cost_ratio = cost_ratio

    def exhausted(self) -> bool:
        """Whether everything in the space was proposed; a space beyond `ENUMERATED` counts as endless."""
        if len(self._tried) < len(self._enumerated) or len(self._enumerated) == ENUMERATED:
            return False
        return all(configuration.canonical() in self._tried for configuration in self._enumerated)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Passed on."""
        self._inner.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Passed on."""
        self._inner.after_trial(study, trial, state, values)

    def _propose(self, study: Study, trial: FrozenTrial) -> Configuration:
        while self._first:
            configuration = self._first.pop(0)
            if configuration.canonical() not in self._tried:
                return configuration
        for _ in range(ATTEMPTS):
            configuration = self._space.draw(RecordedDraws.of_sampler(self._inner, study, trial))
            if configuration.canonical() not in self._tried:
                return configuration
        return self._any_untried()

    def _any_untried(self) -> Configuration:
        untried = [c for c in self._enumerated if c.canonical() not in self._tried]
        return untried[self._random.integers(len(untried))] if untried else self._space.baseline()

    @cached_property
    def _enumerated(self) -> list[Configuration]:
        return list(islice(self._space.configurations(), ENUMERATED))


def starting_points(space: SearchSpace) -> list[Configuration]:
    """The baseline, then all that changes the network and how it is lowered at once, then each technique alone.

    Each takes the last value listed, and the rest is as the teacher has it. Where the rest cannot stay (int8 needs a
    runtime that runs it), the first value that can run is taken. How it is lowered has no order, and costs no
    training: there each value has its turn.
    """
    baseline = space.baseline()
    changes = [axis for axis in space.axes if axis.technique.stage <= Stage.LOWER]
    together = {axis.name: axis.values[-1] for axis in changes}
    points = [baseline, _closest(space, {**baseline, **together}, changes[0].name) if changes else None]
    for axis in space.axes:
        name = axis.parameter.name
        for value in axis.values if axis.technique.stage == Stage.LOWER else axis.values[-1:]:
            if value != baseline.get(name):
                points.append(_closest(space, {**baseline, name: value}, name))
    return list(dict.fromkeys(point for point in points if point is not None))


def _closest(space: SearchSpace, wanted: dict[str, Scalar], fixed: str) -> Any:
    """The configuration that takes the wanted value wherever it can run; None where ``fixed`` itself cannot."""
    chosen: dict[str, Scalar] = {}
    for index, axis in enumerate(space.axes):
        options = space.options(index, chosen)
        if options:
            value = wanted.get(axis.parameter.name)
            chosen[axis.parameter.name] = value if value in options else options[0]
    return Configuration(chosen) if chosen.get(fixed) == wanted[fixed] else None
