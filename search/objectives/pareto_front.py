"""The Pareto front and the hypervolume of points to minimise."""

import moocore
import numpy as np

from search.objectives.arrays import Floats, Mask


def nondominated(points: Floats) -> Mask:
    """Which rows of ``points`` ``(n_points, n_objectives)`` no other row dominates, shape ``(n_points,)``.

    The points are to minimise. Equal rows do not dominate each other: all of them are kept. No points give an empty
    answer. For points that are known within intervals see `search.objectives.dominance`.
    """
    if len(points) == 0:
        return np.zeros(0, dtype=bool)
    return np.asarray(moocore.is_nondominated(points, keep_weakly=True), dtype=bool)


def hypervolume(points: Floats) -> float:
    """The volume that ``points`` ``(n_points, n_objectives)`` dominate within the unit box; the reference point is 1.

    The points are to minimise. Those beyond the reference point add nothing; no points give 0.
    """
    inside = points[(points < 1).all(axis=1)] if len(points) else points
    return float(moocore.hypervolume(inside, ref=np.ones(inside.shape[1]))) if len(inside) else 0.0
