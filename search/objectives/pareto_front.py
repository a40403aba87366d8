"""Dominance, ties and hypervolume of points to minimise, which may be known within intervals only."""

import moocore
import numpy as np

from search.objectives.arrays import Floats, Mask


def dominates(points: Floats, upper: Floats, others: Floats, others_lower: Floats) -> Mask:
    """Whether one point dominates another beyond the intervals of both.

    It does where it is at least as good in every objective by the estimates, and in some objective the upper end of
    its interval is below the lower end of the other's. The relation is not transitive.

    Args:
        points: Estimates of the one point ``(n_objectives,)``, or of several in rows, to minimise.
        upper: The upper ends of their intervals, of the same shape.
        others: Estimates of the other point or points; rows are broadcast against the rows of ``points``.
        others_lower: The lower ends of their intervals.
    """
    at_least_as_good: Mask = np.all(points <= others, axis=-1)
    certainly_better: Mask = np.any(upper < others_lower, axis=-1)
    return at_least_as_good & certainly_better


def nondominated(points: Floats, lower: Floats | None = None, upper: Floats | None = None) -> Mask:
    """Which rows of ``points`` ``(n_points, n_objectives)`` no other row dominates, shape ``(n_points,)``.

    Equal rows do not dominate each other: all of them are kept. With intervals a row must be dominated beyond them
    (see `dominates`), so the rows that are nondominated by the estimates are always kept, and a row may be dominated
    by one that is dominated itself. No points give an empty answer.

    Args:
        points: The estimates, to minimise.
        lower: The lower ends of their intervals, of the same shape and nowhere above ``points``.
        upper: The upper ends, nowhere below ``points``. Without intervals, the points are exact.
    """
    if len(points) == 0:
        return np.zeros(0, dtype=bool)
    kept = np.asarray(moocore.is_nondominated(points, keep_weakly=True), dtype=bool)
    if lower is None or upper is None:
        return kept
    # Whatever a row dominates, a row at least as good in estimates and upper ends dominates too.
    dominating = np.flatnonzero(moocore.is_nondominated(np.hstack([points, upper]), keep_weakly=False))
    uncertain = np.flatnonzero(~kept)
    for row in dominating:
        fallen = dominates(points[row], upper[row], points[uncertain], lower[uncertain])
        uncertain = uncertain[~fallen]
    kept[uncertain] = True
    return kept


def tied(lower: Floats, upper: Floats) -> list[list[int]]:
    """For each row, the other rows whose intervals overlap with its own in every objective, in ascending order.

    Args:
        lower: The lower ends of the intervals, ``(n_points, n_objectives)``.
        upper: The upper ends, of the same shape.
    """
    ties = []
    for row in range(len(lower)):
        overlapping = ((lower <= upper[row]) & (upper >= lower[row])).all(axis=1)
        overlapping[row] = False
        ties.append(np.flatnonzero(overlapping).tolist())
    return ties


def hypervolume(points: Floats) -> float:
    """The volume that ``points`` ``(n_points, n_objectives)`` dominate within the unit box; the reference point is 1.

    The points are to minimise. Those beyond the reference point add nothing; no points give 0.
    """
    inside = points[(points < 1).all(axis=1)] if len(points) else points
    return float(moocore.hypervolume(inside, ref=np.ones(inside.shape[1]))) if len(inside) else 0.0
