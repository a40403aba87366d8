"""Dominance and ties between the rows of a loss table, which are known within 95 % intervals only.

A row is certainly better than another in an objective where the interval of their difference says so: for an accuracy
the paired interval, where both answered the same examples (`runners.quality.paired_difference`); for anything else,
where the upper end of the one's own interval is below the lower end of the other's.
"""

import numpy as np

from search.objectives.arrays import Indices, Mask
from search.objectives.loss_table import LossTable
from search.objectives.pareto_front import nondominated


def certainly_better(table: LossTable, rows: Indices | int, others: Indices | int) -> Mask:
    """In which objectives each of ``rows`` is certainly better than the one of ``others`` at its place.

    Args:
        table: The losses.
        rows: Indices of rows ``(k,)``; or one, for all of the others.
        others: The same.

    Returns:
        Shape ``(k, n_objectives)``.
    """
    rows, others = np.broadcast_arrays(np.atleast_1d(rows), np.atleast_1d(others))
    better: Mask = table.upper[rows] < table.lower[others]
    paired, more_accurate = table.answers.compare(rows, others)
    for column in np.flatnonzero(table.answered):
        # A bootstrap interval may lie on the other side of 0 than the difference itself.
        agreed = more_accurate & (table.points[rows, column] < table.points[others, column])
        better[:, column] = np.where(paired, agreed, better[:, column])
    return better


def dominates(table: LossTable, rows: Indices | int, others: Indices | int) -> Mask:
    """Which of ``rows`` dominate the one of ``others`` at its place, shape ``(k,)``; see `certainly_better`.

    A row dominates another where it is at least as good in every objective by the estimates, and certainly better in
    one. The relation is not transitive.
    """
    rows, others = np.broadcast_arrays(np.atleast_1d(rows), np.atleast_1d(others))
    found: Mask = np.all(table.points[rows] <= table.points[others], axis=-1)
    pairs = np.flatnonzero(found)
    found[pairs] = certainly_better(table, rows[pairs], others[pairs]).any(axis=-1)
    return found


def undominated(table: LossTable) -> Mask:
    """Which rows no other row dominates, shape ``(n_rows,)``.

    The rows that are nondominated by the estimates are always kept. A row may be dominated by one that is dominated
    itself.
    """
    kept = nondominated(table.points)
    doubtful = np.flatnonzero(~kept)
    for row in np.flatnonzero(kept).tolist():  # these dominate most of the others
        doubtful = doubtful[~dominates(table, row, doubtful)]
    everyone = np.arange(len(kept))
    for row in doubtful.tolist():
        kept[row] = not dominates(table, everyone, row).any()
    return kept


def tied(table: LossTable) -> list[list[int]]:
    """For each row, the other rows than which it is certainly better or worse in no objective, in ascending order."""
    everyone = np.arange(len(table.points))
    ties = []
    for row in everyone.tolist():
        apart = certainly_better(table, row, everyone) | certainly_better(table, everyone, row)
        ties.append([other for other in np.flatnonzero(~apart.any(axis=-1)).tolist() if other != row])
    return ties
