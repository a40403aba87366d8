"""Any Optuna sampler, made never to propose a configuration twice."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from search.objectives.arrays import Floats
from search.samplers.ehvi_sampler import EHVISampler
from search.samplers.recorded_draws import distributions_of, draw_from_sampler
from spaces.configuration import Configuration
from spaces.search_space import SearchSpace

ATTEMPTS = 8
"""Configurations that are drawn from the inner sampler for a trial before any untried one is taken."""
MAX_LISTED = 200_000
"""Configurations of a space that are listed to find untried ones; a larger space is never exhausted."""


class DistinctSampler(BaseSampler):
    """Proposes no configuration of a space twice: first given ones, then what ``inner`` samples, then any untried one.

    In a small discrete space a model-based sampler proposes its favourite again and again. Here a configuration that
    was proposed before is drawn anew instead of run anew.

    A trial that asks Optuna for its parameters gets those of its proposal. `propose` makes that proposal explicit, for
    whoever wants to know the whole configuration of a trial at once.

    Args:
        inner: Samples the values of parameters.
        space: Turns them into configurations.
        tried: Canonical forms of the configurations proposed so far; the sampler adds to it.
        first: Configurations to begin with.
        then: Configurations to go on with; see `leave_out_trainings`.
        seed: Of the choice among untried configurations.
    """

    def __init__(
        self,
        inner: BaseSampler,
        space: SearchSpace,
        tried: set[str],
        first: Sequence[Configuration] = (),
        then: Sequence[Configuration] = (),
        seed: int = 0,
    ) -> None:
        self._inner = inner
        self._space = space
        self._tried = tried
        self._first = list(first)
        self._then = list(then)
        self._random = np.random.default_rng(seed)
        self._proposals: dict[int, Configuration] = {}
        self._listed: list[Configuration] = []
        self._unlisted = space.configurations()

    def propose(self, study: Study, trial: FrozenTrial) -> Configuration:
        """The configuration that ``trial`` shall have; asked again before the trial ends, the same one.

        It is a new one while the space has any. Afterwards it is the baseline, which may lie outside the space.
        """
        if trial.number not in self._proposals:
            proposal = self._next_untried(study, trial)
            self._tried.add(proposal.canonical())
            self._proposals[trial.number] = proposal
        return self._proposals[trial.number]

    def propose_screening(self, study: Study) -> Configuration | None:
        """The configuration whose speed is most worth knowing before the next trial is proposed, or None.

        Only an `EHVISampler` has one, and not before the given configurations have been proposed. Where its training
        is done there is nothing to save by knowing its speed first: None, too.
        """
        if not isinstance(self._inner, EHVISampler) or self._first or self._then:
            return None
        found = [Configuration(candidate) for candidate in self._inner.shortlist(study, 1)]
        if not found or found[0].canonical() in self._tried or not self.needs_training(found[0]):
            return None
        return found[0]

    def observe(self, configuration: Configuration, targets: Floats, *, is_cheap: bool = True) -> None:
        """Add observed targets of a configuration that no trial has. Only an `EHVISampler` uses them.

        Args:
            configuration: A configuration of the space.
            targets: Its losses and violations as `search.objectives.trial_targets.TrialTargets` gives them, shape
                ``(n_objectives + n_constraints,)``; NaN where unknown.
            is_cheap: Whether they were observed by a screening in this study; otherwise they come from an earlier one.
        """
        if isinstance(self._inner, EHVISampler):
            self._inner.observe(configuration, targets, is_cheap=is_cheap)

    def exclude(self, configuration: Configuration) -> None:
        """Never propose ``configuration``."""
        self._tried.add(configuration.canonical())
        if isinstance(self._inner, EHVISampler):
            self._inner.exclude(configuration)

    def set_cost_ratio(self, cost_ratio: float) -> None:
        """Set what training a candidate costs, in units of what timing it does. Only an `EHVISampler` uses it."""
        if isinstance(self._inner, EHVISampler) and self._inner.cost_model:
            self._inner.cost_model.cost_ratio = cost_ratio

    def needs_training(self, configuration: Configuration) -> bool:
        """Whether ``configuration`` needs a training that is neither done nor under way, as far as is known."""
        cost_model = self._inner.cost_model if isinstance(self._inner, EHVISampler) else None
        return cost_model is None or cost_model.needs_training(configuration)

    def leave_out_trainings(self) -> None:
        """Propose none of the configurations to go on with that need a training, as a model weighs what it costs.

        Only an `EHVISampler` does.
        """
        if isinstance(self._inner, EHVISampler):
            self._then = [configuration for configuration in self._then if not self.needs_training(configuration)]

    def go_on_without_training(self, study: Study) -> bool:
        """Propose from now on only configurations that need no further training; whether there is any at the moment.

        Only an `EHVISampler` can tell, and not before the configurations to begin with have been proposed.
        """
        self.leave_out_trainings()
        if self._first or not isinstance(self._inner, EHVISampler):
            return False
        return self._inner.go_on_without_training(study)

    def exhausted(self) -> bool:
        """Whether every configuration of the space was proposed; False for a space of `MAX_LISTED` or more."""
        listed = self._list(min(len(self._tried) + 1, MAX_LISTED))
        if len(listed) > len(self._tried) or len(listed) == MAX_LISTED:
            return False
        return all(configuration.canonical() in self._tried for configuration in listed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Passed on to the inner sampler."""
        self._inner.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The distributions of the parameters of the proposal; none where it lies outside the space."""
        proposal = self.propose(study, trial)
        return dict(distributions_of(self._space, proposal)) if self._space.contains(proposal) else {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The values of these parameters in the proposal."""
        if not search_space:
            return {}
        values = self._space.trial_parameters(self.propose(study, trial))
        return {name: values[name] for name in search_space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """What the inner sampler gives, for a parameter that is not one of the proposal's."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Passed on to the inner sampler; the proposal is forgotten."""
        self._proposals.pop(trial.number, None)
        self._inner.after_trial(study, trial, state, values)

    def _next_untried(self, study: Study, trial: FrozenTrial) -> Configuration:
        while given := self._first or self._then:
            configuration = given.pop(0)
            if configuration.canonical() not in self._tried:
                return configuration
        for _ in range(ATTEMPTS):
            configuration = draw_from_sampler(self._space, self._inner, study, trial)
            if configuration.canonical() not in self._tried:
                return configuration
        untried = [c for c in self._list(MAX_LISTED) if c.canonical() not in self._tried]
        return untried[self._random.integers(len(untried))] if untried else self._space.baseline()

    def _list(self, count: int) -> Sequence[Configuration]:
        """The first ``count`` configurations of the space, or more that were listed before, or all."""
        self._listed.extend(islice(self._unlisted, max(0, count - len(self._listed))))
        return self._listed
