"""One Gaussian process for each target, refitted as observations arrive."""

from dataclasses import dataclass

import numpy as np

from search.objectives.arrays import Floats, Indices, Mask
from search.samplers.candidate_pool import CandidatePool
from search.samplers.encoding import normalised_ranks
from search.samplers.gaussian_process import GaussianProcess, fit
from search.samplers.posterior import Posterior, ShiftedLog

MIN_OBSERVATIONS = 3
"""Observations that every target needs before any is modelled."""

MAX_TRAINING_POINTS = 300
"""Observations that a model is fitted to at most: those nearest to the front, and others at random."""

_REFIT_SHARE, _CHEAP_REFIT_SHARE = 0.025, 0.5
"""Share of new observations after which a model is refitted; and of a cheap target."""

_TUNE_SHARE = 0.2
"""Share of new observations after which the hyperparameters are optimised anew."""

_FIRST_ITERATIONS, _ITERATIONS = 60, 20
"""Iterations of the first optimisation of hyperparameters, and of those that begin at the last estimate."""

_RANK_SPAN = 3.0
"""Squared distance between the smallest and the largest rank in a cheap target."""

_NONE: Indices = np.zeros(0, dtype=np.intp)


@dataclass(frozen=True)
class _Model:
    """The model of one target.

    Attributes:
        transform: The output transform.
        process: Conditioned on the transformed observations, and on pending candidates at their posterior mean.
        data: Indices of the candidates that were observed or pending, ``(n_data,)``.
        n_tuned: To how many observations the hyperparameters were optimised.
    """

    transform: ShiftedLog
    process: GaussianProcess
    data: Indices
    n_tuned: int


class TargetModels:
    """The posteriors of all targets of all candidates in a pool.

    A target is cheap once it was observed of a candidate without a trial. The ranks of candidates in the cheap targets,
    observed or predicted, are further inputs of the other targets' models: what is slower or larger is often more
    accurate. Pending trials count as observed at their posterior mean, which lowers the uncertainty around them
    ("kriging believer": Ginsbourger, Le Riche and Carraro, 2010, Kriging is well-suited to parallelize optimization).

    Args:
        pool: The candidates and their observed targets.
        n_objectives: How many of the targets are objectives; the others are constraint violations.
        rng: Chooses among too many observations.

    Attributes:
        is_cheap: Which targets are cheap, ``(n_targets,)``.
        means: Posterior means of the transformed targets, ``(n_targets, n)``.
        stds: Their posterior standard deviations, ``(n_targets, n)``.
    """

    def __init__(self, pool: CandidatePool, n_objectives: int, rng: np.random.Generator) -> None:
        self._pool = pool
        self._n_objectives = n_objectives
        self._rng = rng
        self._models: dict[int, _Model] = {}
        self._ranked_among: dict[int, Floats] = {}
        n_targets = pool.targets.shape[1]
        self.is_cheap: Mask = np.zeros(n_targets, dtype=bool)
        self.means: Floats = np.zeros((n_targets, 0))
        self.stds: Floats = np.zeros((n_targets, 0))

    def are_ready(self) -> bool:
        """Whether every target has a model."""
        return len(self._models) == len(self.is_cheap)

    def posterior(self, target: int, indices: Indices) -> Posterior:
        """The posterior of one target of the candidates with ``indices``."""
        observed = self._pool.targets[indices, target]
        transform = self._models[target].transform
        return Posterior(transform, observed, self.means[target, indices], self.stds[target, indices])

    def update(self, front: Floats, promising: Indices) -> Indices:
        """Refit the models that have enough new observations; the indices of candidates whose posteriors changed.

        When the hyperparameters are optimised, which takes a larger share of new observations, all candidates are
        predicted anew. Otherwise the model is conditioned on the new observations, and only the ``promising``
        candidates are predicted anew.

        Args:
            front: Nondominated losses ``(n_front, n_objectives)``, near which the models shall be accurate.
            promising: Candidates that may be proposed next.
        """
        n_observed = np.isfinite(self._pool.targets).sum(axis=0)
        if (n_observed < MIN_OBSERVATIONS).any():
            return _NONE
        everything = np.arange(len(self._pool))
        cheap, expensive = self._cheap_targets(), np.flatnonzero(~self.is_cheap).tolist()
        stale_cheap = [target for target in cheap if self._share_of_new_data(target) >= _CHEAP_REFIT_SHARE]
        for target in stale_cheap:
            self._fit(target, front, tune=True)
            self._predict(target, everything)
        if stale_cheap:
            stale = expensive
        else:
            stale = [target for target in expensive if self._share_of_new_data(target) >= _REFIT_SHARE]
        if not stale:
            return everything if stale_cheap else _NONE
        tune = bool(stale_cheap) or any(self._growth_since_tuning(target) >= _TUNE_SHARE for target in stale)
        predicted = everything if tune else promising
        for target in expensive if tune else stale:
            self._fit(target, front, tune)
            self._predict(target, predicted)
        return predicted

    def observe_without_trial(self, indices: Indices, is_observed: Mask) -> None:
        """Account for targets ``is_observed`` ``(n_targets,)`` of candidates that have no trial; they are cheap now."""
        if (is_observed & ~self.is_cheap).any():
            self.is_cheap = self.is_cheap | is_observed
            self._models = {}  # their inputs lack the new cheap targets
        if self.are_ready():
            for target in np.flatnonzero(~self.is_cheap).tolist():
                self._predict(target, indices)

    def extend(self) -> None:
        """Predict the candidates that were added to the pool."""
        before = self.means.shape[1]
        n_new = len(self._pool) - before
        if not n_new:
            return
        self.means = np.pad(self.means, ((0, 0), (0, n_new)), constant_values=np.nan)
        self.stds = np.pad(self.stds, ((0, 0), (0, n_new)), constant_values=np.nan)
        # Cheap targets first, since the other models depend on them.
        for target in sorted(self._models, key=lambda target: not self.is_cheap[target]):
            self._predict(target, np.arange(before, before + n_new))

    def _cheap_targets(self) -> list[int]:
        cheap: list[int] = np.flatnonzero(self.is_cheap).tolist()
        return cheap

    def _data(self, target: int) -> Indices:
        """The candidates that a model of ``target`` is to be conditioned on."""
        return np.flatnonzero(np.isfinite(self._pool.targets[:, target]) | self._pool.is_pending)

    def _share_of_new_data(self, target: int) -> float:
        """By which share the data of a target differ from those that its model was fitted to."""
        if target not in self._models:
            return np.inf
        fitted = self._models[target].data
        changed = np.setxor1d(fitted, self._data(target), assume_unique=True)
        return len(changed) / max(len(fitted), 1)

    def _growth_since_tuning(self, target: int) -> float:
        if target not in self._models:
            return np.inf
        n_observed = np.isfinite(self._pool.targets[:, target]).sum()
        return float(n_observed / self._models[target].n_tuned - 1)

    def _fit(self, target: int, front: Floats, tune: bool) -> None:
        values, before = self._pool.targets[:, target], self._models.get(target)
        observed = np.flatnonzero(np.isfinite(values))
        for cheap in self._input_targets(target):
            cheap_values = self._pool.targets[:, cheap]
            self._ranked_among[cheap] = cheap_values[np.isfinite(cheap_values)]
        # The transform of a constraint violation must be defined at its bound, 0.
        transform = ShiftedLog.fit(values[observed], lowest=0.0 if target >= self._n_objectives else np.inf)
        training = self._training_points(observed, front)
        inputs, groups = self._inputs(target, training), self._groups(target)
        transformed = transform.transform(values[training])
        if before is None:
            process = fit(inputs, groups, transformed, max_iterations=_FIRST_ITERATIONS)
        else:
            iterations = _ITERATIONS if tune else 0
            process = fit(inputs, groups, transformed, before.process.log_hyperparameters, iterations)
        process = self._with_pending(target, process, transformed)
        n_tuned = len(observed) if tune or before is None else before.n_tuned
        self._models[target] = _Model(transform, process, self._data(target), n_tuned)

    def _with_pending(self, target: int, process: GaussianProcess, transformed: Floats) -> GaussianProcess:
        """The process conditioned on pending candidates too, as if they were observed at their posterior mean."""
        pending = np.flatnonzero(self._pool.is_pending & np.isnan(self._pool.targets[:, target]))
        if not len(pending):
            return process
        inputs = self._inputs(target, pending)
        means, _ = process.predict(inputs)
        all_inputs, all_values = np.vstack([process.inputs, inputs]), np.append(transformed, means)
        return fit(all_inputs, process.groups, all_values, process.log_hyperparameters, max_iterations=0)

    def _predict(self, target: int, indices: Indices) -> None:
        process = self._models[target].process
        self.means[target, indices], self.stds[target, indices] = process.predict(self._inputs(target, indices))

    def _training_points(self, observed: Indices, front: Floats) -> Indices:
        """The candidates that a model is fitted to: all ``observed`` ones, or `MAX_TRAINING_POINTS` of them.

        Two thirds of these are nearest to the front: the smallest amount, relative to the range of the front, by which
        an observation must improve in all objectives to reach some point of it.
        """
        if len(observed) <= MAX_TRAINING_POINTS:
            return observed
        losses = self._pool.targets[observed, : self._n_objectives]
        span = np.maximum(np.ptp(front, axis=0), 1e-12) if len(front) else 1.0
        distance = np.full(len(observed), np.inf)
        for point in front:
            distance = np.fmin(distance, ((losses - point) / span).max(axis=1))
        order = np.argsort(np.where(np.isnan(distance), np.inf, distance), kind="stable")
        n_near = 2 * MAX_TRAINING_POINTS // 3
        others = self._rng.choice(order[n_near:], MAX_TRAINING_POINTS // 3, replace=False)
        chosen: Indices = observed[np.append(order[:n_near], others)]
        return chosen

    def _input_targets(self, target: int) -> list[int]:
        """The cheap targets whose ranks are inputs of the model of ``target``."""
        return [] if self.is_cheap[target] else self._cheap_targets()

    def _groups(self, target: int) -> Indices:
        """For each input of the model the index of its kernel weight; a rank has a weight of its own."""
        encoding = self._pool.encoding
        ranks = encoding.n_parameters + np.arange(len(self._input_targets(target)), dtype=np.intp)
        return np.append(encoding.groups, ranks)

    def _inputs(self, target: int, indices: Indices) -> Floats:
        """The inputs of the model of ``target`` at candidates, ``(n, n_inputs)``."""
        blocks = [self._pool.features[indices]]
        for cheap in self._input_targets(target):
            values = self.posterior(cheap, indices).median()
            blocks.append(np.sqrt(_RANK_SPAN) * normalised_ranks(values, self._ranked_among[cheap])[:, None])
        return np.hstack(blocks)
