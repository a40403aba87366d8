"""What a sampler believes about every candidate of a pool, learnt anew as knowledge grows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.samplers.candidate_pool import CandidatePool, Rows
from search.samplers.encoding import Floats, ranks
from search.samplers.expected_hypervolume_improvement import Posterior
from search.samplers.gaussian_process import GaussianProcess, fit
from search.samplers.output_transform import ShiftedLog

LEARNT_FROM = 300
"""Rows that a column is learnt from at most: those nearest to the front, and others at random."""

ENOUGH = 3
"""Values of a column below which nothing can be learnt."""

GROWTH, TUNING_GROWTH, CHEAP_GROWTH = 0.025, 0.2, 0.5
"""Shares of change after which a column is learnt again, tuned again, and learnt again where it is cheap."""

FIRST_STEPS, STEPS = 60, 20
"""Iterations of the first search for a model's parameters, and of those that go on from the last."""

_RANK_SPREAD = 3.0
"""Squared distance between the best and the worst rank in a cheap column."""


@dataclass(frozen=True)
class _Learnt:
    """One column's model, the rows ``(n,)`` it was learnt from, and from how many values it was tuned."""

    scale: ShiftedLog
    surrogate: GaussianProcess
    basis: NDArray[np.bool_]
    tuned_at: int


class Posteriors:
    """About all columns of all candidates of ``pool``.

    A column is cheap once it is known of a candidate without a trial. Cheap columns, known or predicted, are
    features of the others: what is slower or larger is often more accurate.

    Attributes:
        means: On each column's scale, ``(n_columns, n)``.
        sds: On each column's scale, ``(n_columns, n)``.
    """

    def __init__(self, pool: CandidatePool, objectives: int, random: np.random.Generator) -> None:
        self._pool = pool
        self._objectives = objectives
        self._random = random
        self._learnt: dict[int, _Learnt] = {}
        self._among: dict[int, Floats] = {}
        self.cheap = np.zeros(pool.values.shape[1], dtype=bool)
        self.means = self.sds = np.zeros((pool.values.shape[1], 0))

    def ready(self) -> bool:
        """Whether every column has been learnt."""
        return len(self._learnt) == len(self.cheap)

    def of(self, column: int, rows: Rows) -> Posterior:
        """The belief about ``column`` of the candidates ``rows``."""
        learnt, known = self._learnt[column], self._pool.values[rows, column]
        return Posterior(learnt.scale, known, self.means[column, rows], self.sds[column, rows])

    def refresh(self, front: Floats, leaders: Callable[[], Rows]) -> Rows:
        """Learn what enough has changed for, and give back the rows that are now seen otherwise.

        The parameters of a model are tuned, and all candidates seen anew, as the data have grown by a share; in
        between the model takes in new trials as it is, and the leaders alone are seen anew.

        Args:
            front: Nondominated losses ``(n_front, n_objectives)``, near which a model shall be exact.
            leaders: The candidates that may be proposed next.
        """
        nothing = np.zeros(0, dtype=np.intp)
        if (np.isfinite(self._pool.values).sum(axis=0) < ENOUGH).any():
            return nothing
        everything = np.arange(len(self._pool))
        cheap, dear = np.flatnonzero(self.cheap).tolist(), np.flatnonzero(~self.cheap).tolist()
        late = [column for column in cheap if self._grown(column) >= CHEAP_GROWTH]
        for column in late:
            self._learn(column, front, tune=True)
            self._predict(column, everything)
        late_dear = [column for column in dear if late or self._grown(column) >= GROWTH]
        if not late_dear:
            return everything if late else nothing
        tune = bool(late) or any(self._grown_since_tuning(column) >= TUNING_GROWTH for column in late_dear)
        seen = everything if tune else leaders()
        for column in dear if tune else late_dear:
            self._learn(column, front, tune)
            self._predict(column, seen)
        return seen

    def looked_up(self, rows: Rows, columns: NDArray[np.bool_]) -> None:
        """Take in that the ``columns`` ``(n_columns,)`` of ``rows`` were found out without a trial."""
        if (columns & ~self.cheap).any():
            self.cheap = self.cheap | columns
            self._learnt = {}  # the models of the others were learnt without these
        if self.ready():
            for column in np.flatnonzero(~self.cheap).tolist():
                self._predict(column, rows)

    def make_room(self) -> None:
        """See the candidates that have come into the pool."""
        before = self.means.shape[1]
        missing = len(self._pool) - before
        if missing:
            more = np.full((len(self.means), missing), np.nan)
            self.means, self.sds = np.hstack([self.means, more]), np.hstack([self.sds, more])
            for column in sorted(self._learnt, key=lambda column: not self.cheap[column]):
                self._predict(column, np.arange(before, before + missing))

    def _grown(self, column: int) -> float:
        """By which share what the column is to be learnt from differs from what it was learnt from."""
        if column not in self._learnt:
            return np.inf
        before, now = self._learnt[column].basis, self._basis(column)
        changed = np.count_nonzero(before != now[: len(before)]) + np.count_nonzero(now[len(before) :])
        return float(changed / max(int(np.count_nonzero(before)), 1))

    def _grown_since_tuning(self, column: int) -> float:
        if column not in self._learnt:
            return np.inf
        return float(np.isfinite(self._pool.values[:, column]).sum() / self._learnt[column].tuned_at - 1)

    def _basis(self, column: int) -> NDArray[np.bool_]:
        """What the column is to be learnt from: what is known, and trials under way as they are believed to end."""
        known: NDArray[np.bool_] = np.isfinite(self._pool.values[:, column]) | self._pool.pending
        return known

    def _learn(self, column: int, front: Floats, tune: bool) -> None:
        values, before = self._pool.values[:, column], self._learnt.get(column)
        known = np.flatnonzero(np.isfinite(values))
        for cheap in self._used(column):
            self._among[cheap] = self._pool.values[np.isfinite(self._pool.values[:, cheap]), cheap]
        scale = ShiftedLog.of(values[known], 0.0 if column >= self._objectives else np.inf)
        chosen = self._nearest(known, front)
        rows, groups, targets = self._rows(column, chosen), self._groups(column), scale.forward(values[chosen])
        if before is None:
            surrogate = fit(rows, groups, targets, iterations=FIRST_STEPS)
        else:
            surrogate = fit(rows, groups, targets, before.surrogate.parameters, STEPS if tune else 0)
        surrogate = self._with_trials_under_way(column, surrogate, rows, targets)
        tuned_at = len(known) if tune or before is None else before.tuned_at
        self._learnt[column] = _Learnt(scale, surrogate, self._basis(column), tuned_at)

    def _with_trials_under_way(
        self, column: int, surrogate: GaussianProcess, rows: Floats, targets: Floats
    ) -> GaussianProcess:
        """The same model after trials under way ended as it believes: as sure as it will be then."""
        waiting = np.flatnonzero(self._pool.pending & np.isnan(self._pool.values[:, column]))
        if not len(waiting):
            return surrogate
        more = self._rows(column, waiting)
        believed, _ = surrogate.predict(more)
        both = np.vstack([rows, more])
        return fit(both, self._groups(column), np.append(targets, believed), surrogate.parameters, 0)

    def _predict(self, column: int, rows: Rows) -> None:
        surrogate = self._learnt[column].surrogate
        self.means[column, rows], self.sds[column, rows] = surrogate.predict(self._rows(column, rows))

    def _nearest(self, known: Rows, front: Floats) -> Rows:
        if len(known) <= LEARNT_FROM:
            return known
        losses = self._pool.values[known, : self._objectives]
        span = np.maximum(np.ptp(front, axis=0), 1e-12) if len(front) else 1.0
        behind = np.full(len(known), np.inf)
        for point in front:
            behind = np.fmin(behind, ((losses - point) / span).max(axis=1))
        order = np.argsort(np.where(np.isnan(behind), np.inf, behind), kind="stable")
        near, far = order[: 2 * LEARNT_FROM // 3], order[2 * LEARNT_FROM // 3 :]
        picked: Rows = known[np.append(near, self._random.choice(far, LEARNT_FROM // 3, replace=False))]
        return picked

    def _used(self, column: int) -> list[int]:
        return [] if self.cheap[column] else np.flatnonzero(self.cheap).tolist()

    def _groups(self, column: int) -> NDArray[np.intp]:
        groups = self._pool.encoding.groups
        count = int(groups.max()) + 1 if len(groups) else 0
        return np.append(groups, count + np.arange(len(self._used(column)))).astype(np.intp)

    def _rows(self, column: int, rows: Rows) -> Floats:
        parts = [self._pool.rows[rows]]
        for cheap in self._used(column):
            seen = self.of(cheap, rows).expected()
            parts.append(np.sqrt(_RANK_SPREAD) * ranks(seen, self._among[cheap])[:, None])
        return np.hstack(parts)
