"""The candidates of a pool in the order in which they are worth a trial."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from search.objectives.pareto_front import nondominated
from search.samplers.candidate_pool import CandidatePool, Rows
from search.samplers.encoding import Floats
from search.samplers.expected_hypervolume_improvement import expected_improvement, free_boxes
from search.samplers.initial_design import farthest
from search.samplers.posterior import ENOUGH, Posteriors
from search.samplers.target_layout import TargetLayout
from search.samplers.training_cost import TrainingCost

LEADERS, FIRST_LEADERS = 1_000, 256
"""Candidates with the largest gains, seen anew between two looks at all of them; and so many after a setback."""

NOTHING = 1e-12
"""An expected gain that says no more than that the model sees none anywhere."""

_BATCH, _CHUNK = 64, 4_096


class Acquisition:
    """Worth of every candidate: the hypervolume it is expected to add, times its probability of being feasible.

    While nothing feasible is known, the probability alone counts. A gain can only shrink as the front moves on, so
    what was computed for an earlier front bounds it: of most candidates nothing is computed again.

    Args:
        pool: With what is known of the candidates.
        columns: What the columns of the pool mean.
        start: How many trials are spread over the space before a model is asked.
        random: Source of what is arbitrary.
        work: What candidates cost; worth is then counted for what it costs (Snoek et al., arXiv 1206.2944, 3.2).
    """

    def __init__(
        self,
        pool: CandidatePool,
        columns: TargetLayout,
        start: int,
        random: np.random.Generator,
        work: TrainingCost | None = None,
    ) -> None:
        self._pool = pool
        self._work = work
        self._columns = columns
        self._start = max(start, ENOUGH)
        self._random = random
        self._posteriors = Posteriors(pool, columns.objectives, random)
        self._bounds: Floats = np.zeros(0)
        self._exact: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._feasible = False
        self._front: Floats = np.zeros((0, columns.objectives))
        self._reference: Floats = np.zeros(columns.objectives)
        self._boxes: tuple[Floats, Floats] = (self._front, self._front)

    def best(self, refused: Iterable[int] = ()) -> int | None:
        """The row of the free candidate that is worth most, or None where nothing is free."""
        beginning = self._beginning()
        if not beginning:
            self._update()
        free = ~self._pool.taken
        free[list(refused)] = False
        if not free.any():
            return None
        hopeful = free & ~(self._pool.values[:, self._columns.objectives :] > 0).any(axis=1)
        free = hopeful if hopeful.any() else free
        if beginning:
            return farthest(self._pool, self._posteriors.cheap, free, self._random)
        top = self._top(free, 1)[0]
        return top if self._bounds[top] > NOTHING else int(self._random.choice(np.flatnonzero(free)))

    def unscreened(self, count: int) -> list[int]:
        """Rows of the ``count`` candidates that are most worth looking up, the best first."""
        beginning = self._beginning()
        if not beginning:
            self._update()
        free = ~self._pool.taken & ~self._pool.listed
        if beginning:
            chosen: list[int] = self._random.permutation(np.flatnonzero(free))[:count].tolist()
            return chosen
        return self._top(free, count) if free.any() else []

    def expected(self, rows: Rows) -> Floats | None:
        """What is known or else expected of one candidate, shape ``(n_columns,)``; None while there is no model."""
        if not self._posteriors.ready():
            return None
        self._grow()
        return np.array([self._posteriors.of(column, rows).expected()[0] for column in range(self._columns.count)])

    def looked_up(self, rows: Rows, vectors: Sequence[Floats]) -> None:
        """Take in that ``vectors`` were found for candidates without a trial."""
        self._grow()
        found: NDArray[np.bool_] = np.any(np.isfinite(vectors), axis=0)
        self._posteriors.looked_up(rows, found)
        self._forget(rows)

    def changed(self, rows: Rows) -> None:
        """Take in that more is known of candidates than before."""
        self._grow()
        self._forget(rows)

    def _beginning(self) -> bool:
        known = np.isfinite(self._pool.values).all(axis=1) & self._pool.done
        return int(known.sum()) < ENOUGH or int((known | self._pool.pending).sum()) < self._start

    def _update(self) -> None:
        """Bring beliefs, bounds and boxes up to date."""
        self._grow()
        seen = self._posteriors.refresh(self._front, self._leaders)
        if len(seen) == len(self._pool):
            self._pool.widen(self._rows_of_front())
            self._grow()
        self._forget(seen)
        self._move_front()

    def _grow(self) -> None:
        """Make room for candidates that have come into the pool."""
        self._posteriors.make_room()
        missing = len(self._pool) - len(self._bounds)
        if missing:
            self._bounds = np.append(self._bounds, np.full(missing, np.inf))
            self._exact = np.append(self._exact, np.zeros(missing, dtype=bool))

    def _forget(self, rows: Rows) -> None:
        self._bounds[rows], self._exact[rows] = np.inf, False

    def _leaders(self, count: int = LEADERS) -> Rows:
        size = min(len(self._bounds), count)
        return np.argpartition(np.where(self._pool.taken, np.inf, -self._bounds), size - 1)[:size]

    def _tried(self) -> tuple[Rows, Floats]:
        """Feasible trials and their losses; those under way as they are believed to end."""
        known = np.isfinite(self._pool.values).all(axis=1) & self._pool.done
        rows = np.flatnonzero(known | self._pool.pending)
        columns = [self._posteriors.of(column, rows).expected() for column in range(self._columns.count)]
        losses, violations = np.split(np.column_stack(columns), [self._columns.objectives], axis=1)
        feasible = (violations <= 0).all(axis=1)
        return rows[feasible], losses[feasible]

    def _rows_of_front(self) -> list[int]:
        rows, losses = self._tried()
        front: list[int] = rows[nondominated(losses)].tolist()
        return front

    def _move_front(self) -> None:
        rows, losses = self._tried()
        front = np.unique(losses[nondominated(losses)], axis=0)
        reference = self._columns.reference(self._pool.values)
        feasible = bool((~self._pool.pending[rows]).any())
        if not np.array_equal(reference, self._reference) or feasible != self._feasible:
            self._forget(np.arange(len(self._bounds)))
        elif np.array_equal(front, self._front):
            return
        elif not _covers(front, self._front):  # a trial under way ended worse than it was believed to
            self._forget(self._leaders(FIRST_LEADERS))
        self._exact[:] = False
        self._front, self._reference, self._feasible = front, reference, feasible
        self._boxes = free_boxes(front, reference)

    def _top(self, free: NDArray[np.bool_], count: int) -> list[int]:
        """The first ``count`` of the free candidates, of which there is at least one."""
        size = min(len(free), max(_BATCH, 2 * count))
        costs = self._work.costs(self._pool.features) if self._work else 1.0
        while True:
            bounds = np.where(free, self._bounds, -np.inf) / costs
            first = np.argpartition(-bounds, size - 1)[:size]
            first = first[np.argsort(-bounds[first], kind="stable")]
            late = first[free[first] & ~self._exact[first]]
            if not len(late) or self._exact[first[:count]].all():
                return [int(row) for row in first[:count] if free[row]]
            unknown = np.flatnonzero(np.isposinf(bounds))
            self._evaluate(np.union1d(late, unknown))

    def _evaluate(self, rows: Rows) -> None:
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            self._bounds[part], self._exact[part] = self._worth(part), True

    def _worth(self, rows: Rows) -> Floats:
        posteriors = [self._posteriors.of(column, rows) for column in range(self._columns.count)]
        objectives, constraints = posteriors[: self._columns.objectives], posteriors[self._columns.objectives :]
        gain = expected_improvement(objectives, *self._boxes)
        probability = np.prod([posterior.below(0.0) for posterior in constraints], axis=0)
        worth: Floats = probability * (gain if self._feasible or not constraints else 1 + 0.01 * gain)
        return worth


def _covers(front: Floats, earlier: Floats) -> bool:
    """Whether every point of ``earlier`` is at or behind one of ``front``."""
    return all((front <= point).all(axis=1).any() for point in earlier)
