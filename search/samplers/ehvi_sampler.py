"""A sampler for Optuna that proposes the candidate with the largest expected hypervolume improvement."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from search.objectives.arrays import Floats, Mask
from search.samplers.acquisition import AcquisitionOptimizer
from search.samplers.candidate_pool import CandidatePool
from search.samplers.candidate_space import Candidate, make_candidate_space
from search.samplers.target_layout import TargetLayout, Values
from search.samplers.training_cost import TrainingCost
from spaces.configuration import Scalar
from spaces.search_space import SearchSpace

CheapTargets = Callable[[list[dict[str, Scalar]]], Sequence[Values] | Floats]
"""Gives the targets of candidates that are cheap to compute, a row for each candidate, and NaN for the others."""


class EHVISampler(BaseSampler):
    """Multi-objective Bayesian optimisation over a discrete space, some of whose targets may be cheap.

    After an initial design, every target has a Gaussian process, and the candidate with the largest constrained
    expected hypervolume improvement is proposed; `AcquisitionOptimizer` names the papers. Trials are read from the
    study, so that it may be stopped and go on with a new sampler. No candidate that has a trial is proposed again,
    whatever the trial's state. Once all candidates have one, parameters are drawn at random. Pending trials count as
    observed at their posterior mean.

    A cheap target can be observed without a trial, such as the latency of a network that is not trained. It is
    observed through ``cheap_targets`` before each proposal, or by calls of `shortlist` and `observe` between
    proposals. These observations are kept in memory only.

    Example:
        Two objectives to minimise, of which the second is cheap:

        >>> import optuna
        >>> from optuna.distributions import CategoricalDistribution, IntDistribution
        >>> from search.samplers.ehvi_sampler import EHVISampler
        >>> space = {"layers": IntDistribution(1, 20), "kernel": CategoricalDistribution([1, 3, 5])}
        >>> def error_and_size(trial):
        ...     layers, kernel = trial.suggest_int("layers", 1, 20), trial.suggest_categorical("kernel", [1, 3, 5])
        ...     return 1 / (layers * kernel), layers * kernel**2
        >>> def only_size(candidates):
        ...     return [[float("nan"), c["layers"] * c["kernel"] ** 2] for c in candidates]
        >>> sampler = EHVISampler(space, 2, cheap_targets=only_size, seed=0)
        >>> study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
        >>> study.optimize(error_and_size, n_trials=15)
        >>> len({tuple(trial.params.values()) for trial in study.trials})
        15

    Args:
        space: Optuna distributions by parameter (floats with a step), or a `SearchSpace`.
        targets: The targets of trials; a number is that many of the study's own objectives.
        cheap_targets: Computes the cheap targets of candidates.
        n_cheap_evaluations: For at most how many candidates they are computed before each proposal.
        n_startup_trials: Number of trials of the initial design.
        seed: Of all random choices.
        cost_model: The costs of candidates, where they differ; then the improvement per cost is maximised.

    Attributes:
        cost_model: The same.

    Raises:
        ValueError: A float distribution has no step.
    """

    def __init__(
        self,
        space: SearchSpace | Mapping[str, BaseDistribution],
        targets: TargetLayout | int,
        *,
        cheap_targets: CheapTargets | None = None,
        n_cheap_evaluations: int = 200,
        n_startup_trials: int = 6,
        seed: int = 0,
        cost_model: TrainingCost | None = None,
    ) -> None:
        self._space = make_candidate_space(space)
        self._layout = TargetLayout(targets) if isinstance(targets, int) else targets
        self._cheap_targets = cheap_targets
        self._n_cheap_evaluations = n_cheap_evaluations
        self.cost_model = cost_model
        rng = np.random.default_rng(seed)
        self._random_sampler = RandomSampler(seed=seed)
        self._pool = CandidatePool(self._space, self._layout.n_targets, rng)
        self._optimizer = AcquisitionOptimizer(self._pool, self._layout, n_startup_trials, rng, cost_model)
        self._proposed: dict[int, list[int]] = {}
        """Indices of the candidates proposed for each unfinished trial, by its number."""
        self._unfinished: set[int] = set()
        self._n_read = 0

    def observe(
        self, candidate: Candidate, targets: Values, study: Study | None = None, *, is_cheap: bool = True
    ) -> None:
        """Add observed targets of a candidate that has no trial.

        Args:
            candidate: Its value of each parameter.
            targets: One for each target, as trials have them; NaN where unknown.
            study: Its directions are those of the objectives; not needed for losses.
            is_cheap: Whether these targets of any candidate could be observed without a trial. Otherwise they come
                from elsewhere, as from an earlier study.
        """
        to_minimise = self._layout.to_minimise(targets, study)
        if is_cheap:
            self._observe_cheap([candidate], [to_minimise])
            return
        indices = self._pool.add([candidate])
        self._pool.observe(int(indices[0]), to_minimise)
        self._pool.is_shortlisted[indices] = np.isfinite(to_minimise).all()
        self._optimizer.invalidate(indices)

    def exclude(self, candidate: Candidate) -> None:
        """Never propose nor shortlist a candidate, as where the evaluation of its cheap targets failed."""
        self._pool.is_excluded[self._pool.add([candidate])] = True

    def go_on_without_training(self, study: Study) -> bool:
        """Propose only candidates whose training is done, or that need none; whether there is any at the moment.

        Without a cost model no candidate is known not to need a training.
        """
        if self.cost_model is None:
            return False
        self._read_trials(study, None)
        self.cost_model.only_trained = True
        return bool(self._optimizer.are_free().any())

    def shortlist(self, study: Study, count: int) -> list[Candidate]:
        """Up to ``count`` candidates whose cheap targets should be observed next, the best first.

        None of them has a trial, an observation or a place on an earlier shortlist.
        """
        self._read_trials(study, None)
        return [self._pool.candidates[index] for index in self._optimizer.shortlist(count)]

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The distributions of the candidate proposed for ``trial``, which is chosen here; empty where none is left.

        When called again for the same trial, it proposes another candidate: the first was rejected.
        """
        self._read_trials(study, trial.number)
        if self._cheap_targets is not None:
            self._evaluate_cheap_targets(study, self._cheap_targets)
        rejected = self._proposed.setdefault(trial.number, [])
        index = self._optimizer.next_candidate(rejected)
        if index is None:
            return {}
        rejected.append(index)
        return self._space.distributions(self._pool.candidates[index])

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The parameters of the candidate proposed for ``trial``."""
        proposed = self._proposed.get(trial.number)
        if not proposed or not search_space:
            return {}
        return dict(self._space.parameters(self._pool.candidates[proposed[-1]]))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random value, for a parameter that the space does not have."""
        return self._random_sampler.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """Reseed the random values of parameters outside the space; proposals depend on the study alone."""
        self._random_sampler.reseed_rng()

    def _evaluate_cheap_targets(self, study: Study, cheap_targets: CheapTargets) -> None:
        candidates = [self._pool.candidates[index] for index in self._optimizer.shortlist(self._n_cheap_evaluations)]
        if candidates:
            rows = cheap_targets([self._space.parameters(candidate) for candidate in candidates])
            self._observe_cheap(candidates, [self._layout.to_minimise(row, study) for row in rows])

    def _observe_cheap(self, candidates: Sequence[Candidate], targets: Sequence[Floats]) -> None:
        indices = self._pool.add(candidates)
        for index, row in zip(indices.tolist(), targets, strict=True):
            self._pool.observe(index, row)
        self._pool.is_screened[indices] = True
        self._pool.is_shortlisted[indices] = True
        is_observed: Mask = np.any(np.isfinite(targets), axis=0)
        self._optimizer.observe_without_trial(indices, is_observed)

    def _read_trials(self, study: Study, current: int | None) -> None:
        """Read the trials that are new or were unfinished when they were last read, but for the ``current`` one."""
        trials = study.get_trials(deepcopy=False)
        numbers = [*sorted(self._unfinished), *range(self._n_read, len(trials))]
        self._n_read = len(trials)
        self._unfinished = {number for number in numbers if not trials[number].state.is_finished()}
        for number in numbers:
            if number != current:
                self._read_trial(study, trials[number])
        if self.cost_model:
            pending = np.flatnonzero(self._pool.is_pending)
            self.cost_model.set_in_training(self._pool.candidates[index] for index in pending)

    def _read_trial(self, study: Study, trial: FrozenTrial) -> None:
        is_finished = trial.state.is_finished()
        candidate = self._space.candidate_of(trial)
        proposed = self._proposed.get(trial.number, [])
        if candidate is None and not proposed:
            return
        index = proposed[-1] if candidate is None else int(self._pool.add([candidate])[0])
        if is_finished and self._proposed.pop(trial.number, []):
            self._pool.is_pending[proposed] = False
        self._pool.observe(index, self._layout.to_minimise(self._layout.trial_values(trial), study))
        self._pool.is_excluded[index] = True
        self._pool.is_pending[index] = not is_finished
        if trial.state == TrialState.COMPLETE:
            self._pool.is_complete[index] = True
            if self.cost_model:
                self.cost_model.mark_trained(self._pool.candidates[index])
