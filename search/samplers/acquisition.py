"""The acquisition function and the candidate that maximises it."""

from collections.abc import Iterable

import numpy as np

from search.objectives.arrays import Floats, Indices, Mask
from search.objectives.pareto_front import nondominated
from search.samplers.candidate_pool import CandidatePool
from search.samplers.expected_hypervolume_improvement import expected_hypervolume_improvement, nondominated_boxes
from search.samplers.initial_design import next_design_point
from search.samplers.target_layout import TargetLayout
from search.samplers.target_models import MIN_OBSERVATIONS, TargetModels
from search.samplers.training_cost import TrainingCost

_NEGLIGIBLE = 1e-12
"""An acquisition value up to which the model expects no improvement anywhere."""

_N_PROMISING = 1_000
"""Candidates with the largest acquisition values, whose posteriors are updated with every observation."""

_N_REEVALUATED = 256
"""Candidates with the largest acquisition values, evaluated anew where a value may be larger than before."""

_BATCH, _CHUNK = 64, 4_096
"""Fewest candidates compared for one choice, and most of them evaluated at once."""


class AcquisitionOptimizer:
    """Finds the candidates of a pool with the largest acquisition values.

    The acquisition function is the expected hypervolume improvement times the probability that all constraints are
    satisfied (Schonlau, Welch and Jones, 1998, Global versus local search in constrained optimization of computer
    models), per unit of cost (Snoek, Larochelle and Adams, 2012, arXiv 1206.2944, 3.2). While no feasible trial is
    known, the probability alone counts (Gelbart, Snoek and Adams, 2014, arXiv 1403.5607), but for ties.

    As long as the posteriors stay the same and the front only advances, values only get smaller. So a value computed
    for an earlier front is an upper bound, and only candidates whose bound is among the largest are evaluated again
    (lazy evaluation: Minoux, 1978, Accelerated greedy algorithms for maximizing submodular set functions).

    Args:
        pool: The candidates and what is known of them.
        layout: The targets.
        n_startup_trials: How many trials belong to the initial design.
        rng: Settles what is arbitrary.
        cost_model: The costs of candidates; without it all cost the same.
    """

    def __init__(
        self,
        pool: CandidatePool,
        layout: TargetLayout,
        n_startup_trials: int,
        rng: np.random.Generator,
        cost_model: TrainingCost | None = None,
    ) -> None:
        self._pool = pool
        self._layout = layout
        self._n_startup_trials = max(n_startup_trials, MIN_OBSERVATIONS)
        self._rng = rng
        self._cost_model = cost_model
        self._models = TargetModels(pool, layout.n_objectives, rng)
        self._values: Floats = np.zeros(0)
        """Acquisition values ``(n,)``, or upper bounds of them."""
        self._is_current: Mask = np.zeros(0, dtype=bool)
        """Whether a value belongs to the present front; otherwise it is an upper bound."""
        self._has_feasible = False
        self._front: Floats = np.zeros((0, layout.n_objectives))
        self._reference_point: Floats = np.zeros(layout.n_objectives)
        self._boxes: tuple[Floats, Floats] = (self._front, self._front)

    def next_candidate(self, rejected: Iterable[int] = ()) -> int | None:
        """The index of the candidate to evaluate next; None where every one is excluded or rejected.

        In the initial design it is that of `next_design_point`. Candidates whose observed targets violate a constraint
        come last. Where no improvement is expected anywhere, it is a random one.

        Args:
            rejected: Further candidates that must not be chosen.
        """
        in_initial_design = self._is_initial_design()
        if not in_initial_design:
            self._update()
        is_free = self.are_free()
        is_free[list(rejected)] = False
        if not is_free.any():
            return None
        is_infeasible = (self._pool.targets[:, self._layout.n_objectives :] > 0).any(axis=1)
        if (is_free & ~is_infeasible).any():
            is_free &= ~is_infeasible
        if in_initial_design:
            return next_design_point(self._pool, self._models.is_cheap, is_free, self._rng)
        best = self._best(is_free, 1)[0]
        if self._values[best] > _NEGLIGIBLE:
            return best
        return int(self._rng.choice(np.flatnonzero(is_free)))

    def are_free(self) -> Mask:
        """Which candidates may be proposed, ``(n,)``: those not excluded, and that the cost model lets be proposed."""
        is_free = ~self._pool.is_excluded
        return is_free & self._cost_model.may_be_proposed(self._pool.candidates) if self._cost_model else is_free

    def shortlist(self, count: int) -> list[int]:
        """Indices of up to ``count`` candidates whose cheap targets should be observed next, the best first.

        They have the largest acquisition values among those that have no trial, whose cheap targets were not observed
        and that were not on an earlier shortlist. In the initial design they are random ones.
        """
        in_initial_design = self._is_initial_design()
        if not in_initial_design:
            self._update()
        is_free = self.are_free() & ~self._pool.is_shortlisted
        if in_initial_design:
            chosen: list[int] = self._rng.permutation(np.flatnonzero(is_free))[:count].tolist()
        else:
            chosen = self._best(is_free, count) if is_free.any() else []
        self._pool.is_shortlisted[chosen] = True
        return chosen

    def observe_without_trial(self, indices: Indices, is_observed: Mask) -> None:
        """Account for targets ``is_observed`` ``(n_targets,)`` of candidates that have no trial; they are cheap now."""
        self._extend()
        self._models.observe_without_trial(indices, is_observed)
        self.invalidate(indices)

    def invalidate(self, indices: Indices) -> None:
        """Forget the acquisition values of candidates, which may be larger now."""
        self._extend()
        self._values[indices] = np.inf
        self._is_current[indices] = False

    def _is_initial_design(self) -> bool:
        is_observed = self._pool.is_observed
        n_started = int((is_observed | self._pool.is_pending).sum())
        return int(is_observed.sum()) < MIN_OBSERVATIONS or n_started < self._n_startup_trials

    def _update(self) -> None:
        """Bring models, front and upper bounds up to date."""
        self._extend()
        changed = self._models.update(self._front, self._most_promising(_N_PROMISING))
        if len(changed) == len(self._pool):  # not for every trial: neighbours take time to find
            indices, losses = self._feasible_trials()
            self._pool.expand(indices[nondominated(losses)].tolist())
        self.invalidate(changed)
        self._update_front()

    def _extend(self) -> None:
        """Take in the candidates that were added to the pool."""
        self._models.extend()
        n_new = len(self._pool) - len(self._values)
        self._values = np.pad(self._values, (0, n_new), constant_values=np.inf)
        self._is_current = np.pad(self._is_current, (0, n_new))

    def _most_promising(self, count: int) -> Indices:
        """The candidates without a trial that have the largest values."""
        size = min(len(self._values), count)
        return np.argpartition(np.where(self._pool.is_excluded, np.inf, -self._values), size - 1)[:size]

    def _feasible_trials(self) -> tuple[Indices, Floats]:
        """Indices and losses of the feasible trials; of pending ones, those that are expected to be feasible."""
        indices = np.flatnonzero(self._pool.is_observed | self._pool.is_pending)
        medians = [self._models.posterior(target, indices).median() for target in range(self._layout.n_targets)]
        losses, violations = np.split(np.column_stack(medians), [self._layout.n_objectives], axis=1)
        is_feasible = (violations <= 0).all(axis=1)
        return indices[is_feasible], losses[is_feasible]

    def _update_front(self) -> None:
        """Find the front of the trials, and invalidate the values that may be larger for it than for the last one."""
        indices, losses = self._feasible_trials()
        front = np.unique(losses[nondominated(losses)], axis=0)
        reference_point = self._layout.reference_point(self._pool.targets)
        has_feasible = bool((~self._pool.is_pending[indices]).any())
        if not np.array_equal(reference_point, self._reference_point) or has_feasible != self._has_feasible:
            self._values[:] = np.inf
        elif np.array_equal(front, self._front):
            return
        elif not _is_advance(front, self._front):  # a pending trial ended worse than it was expected to
            self.invalidate(self._most_promising(_N_REEVALUATED))
        self._is_current[:] = False
        self._front, self._reference_point, self._has_feasible = front, reference_point, has_feasible
        self._boxes = nondominated_boxes(front, reference_point)

    def _best(self, is_free: Mask, count: int) -> list[int]:
        """The indices of the ``count`` free candidates with the largest values per cost; at least one must be free.

        Upper bounds among the largest values are replaced by values of the present front until none is left there.
        """
        size = min(len(is_free), max(_BATCH, 2 * count))
        costs = self._cost_model.costs(self._pool.candidates) if self._cost_model else 1.0
        while True:
            bounds = np.where(is_free, self._values, -np.inf) / costs
            top = np.argpartition(-bounds, size - 1)[:size]
            top = top[np.argsort(-bounds[top], kind="stable")]
            outdated = top[is_free[top] & ~self._is_current[top]]
            if not len(outdated) or self._is_current[top[:count]].all():
                return [int(index) for index in top[:count] if is_free[index]]
            unknown = np.flatnonzero(np.isposinf(bounds))
            self._evaluate(np.union1d(outdated, unknown))

    def _evaluate(self, indices: Indices) -> None:
        for start in range(0, len(indices), _CHUNK):
            chunk = indices[start : start + _CHUNK]
            self._values[chunk] = self._acquisition_values(chunk)
            self._is_current[chunk] = True

    def _acquisition_values(self, indices: Indices) -> Floats:
        """The acquisition function of candidates for the present front, costs aside, ``(n,)``."""
        posteriors = [self._models.posterior(target, indices) for target in range(self._layout.n_targets)]
        objectives, constraints = posteriors[: self._layout.n_objectives], posteriors[self._layout.n_objectives :]
        improvement = expected_hypervolume_improvement(objectives, *self._boxes)
        feasibility = np.prod([posterior.probability_below(0.0) for posterior in constraints], axis=0)
        if constraints and not self._has_feasible:
            improvement = 1 + 0.01 * improvement  # so that it decides only among about equal probabilities
        values: Floats = feasibility * improvement
        return values


def _is_advance(front: Floats, earlier: Floats) -> bool:
    """Whether every point of ``earlier`` is equal to or dominated by one of ``front``."""
    return all((front <= point).all(axis=1).any() for point in earlier)
