"""Dominance and hypervolume, on points to minimise; the arithmetic is moocore's."""

import moocore
import numpy as np
from numpy.typing import NDArray


def nondominated(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows of ``points`` ``(n_points, n_objectives)`` nothing dominates, shape ``(n_points,)``.

    Equal rows do not dominate each other: all of them are kept. No points give an empty answer.
    """
    if len(points) == 0:
        return np.zeros(0, dtype=bool)
    return np.asarray(moocore.is_nondominated(points, keep_weakly=True), dtype=bool)


def hypervolume(points: NDArray[np.float64]) -> float:
    """Share of the unit box that ``points`` ``(n_points, n_objectives)`` dominate, with the reference point at 1.

    Points beyond the reference point add nothing; no points give 0.
    """
    inside = points[(points < 1).all(axis=1)] if len(points) else points
    return float(moocore.hypervolume(inside, ref=np.ones(inside.shape[1]))) if len(inside) else 0.0
