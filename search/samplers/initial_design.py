"""The first candidates of a search: the ends of what is cheap to know, then what is unlike everything tried."""

import numpy as np
from numpy.typing import NDArray

from search.samplers.candidate_pool import CandidatePool, Rows
from search.samplers.encoding import ranks

LOOKED_AT = 5_000
"""Candidates compared for one choice, at random where there are more."""

_AN_END = 0.02
"""Share of the ranks of a cheap column that counts as its better end."""


def farthest(
    pool: CandidatePool, cheap: NDArray[np.bool_], free: NDArray[np.bool_], random: np.random.Generator
) -> int:
    """The row of a free candidate that lies where nothing was tried.

    Where a trial is at the better end of every cheap column already, it is the one whose nearest trial is farthest
    away, in the parameters and in the ranks of the cheap columns.

    Args:
        pool: With what is known so far.
        cheap: Which columns can be known without a trial, ``(n_columns,)``.
        free: Which candidates may be chosen, ``(n,)``; those that were looked up go first.
        random: Settles ties.
    """
    looked_up = np.flatnonzero(free & pool.screened)
    rows = random.permutation(looked_up if len(looked_up) else np.flatnonzero(free))[:LOOKED_AT]
    taken = np.flatnonzero(pool.taken)
    known = [c for c in np.flatnonzero(cheap).tolist() if np.isfinite(pool.values[rows, c]).all()]
    for column in known:
        if _ranks(pool, taken, column).min(initial=1.0) > _AN_END:
            return int(rows[np.argmin(pool.values[rows, column])])
    return int(rows[np.argmax(_to_the_nearest(pool, rows, taken, known))])


def _to_the_nearest(pool: CandidatePool, rows: Rows, taken: Rows, columns: list[int]) -> NDArray[np.float64]:
    """For each of ``rows`` the distance to the nearest of ``taken``."""
    parameters = max(1, len(pool.encoding.scales))
    nearest = np.full(len(rows), np.inf)
    for row in taken.tolist():
        apart = ((pool.rows[rows] - pool.rows[row]) ** 2).sum(axis=1) / parameters
        for column in columns:
            apart += np.abs(_ranks(pool, rows, column) - _ranks(pool, np.array([row]), column))
        nearest = np.minimum(nearest, apart)
    return nearest


def _ranks(pool: CandidatePool, rows: Rows, column: int) -> NDArray[np.float64]:
    """Ranks in a column; the middle where the value is not known."""
    values = pool.values[:, column]
    return np.nan_to_num(ranks(values[rows], values), nan=0.5)
