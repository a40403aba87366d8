"""Dominance, ties and hypervolume, on points to minimise that may be known within intervals only."""

from itertools import pairwise

import moocore
import numpy as np
from numpy.typing import NDArray

_CHUNK = 512
"""Points looked at together: a table of this many columns stays small beside 10,000 rows."""


def nondominated(
    points: NDArray[np.float64], best: NDArray[np.float64] | None = None, worst: NDArray[np.float64] | None = None
) -> NDArray[np.bool_]:
    """Which rows of ``points`` ``(n_points, n_objectives)`` nothing dominates, shape ``(n_points,)``.

    One point dominates another where it is at least as good in everything and certainly better in something: its
    worst is better than the other's best. So what the plain points keep is kept here too, and no two points
    dominate each other. The relation is not transitive: a point may owe its fall to one that has fallen itself.
    Equal rows do not dominate each other: all of them are kept. No points give an empty answer.

    Args:
        points: The estimates.
        best: The better ends of their intervals, of the same shape and nowhere above ``points``.
        worst: The worse ends, nowhere below ``points``. Without ends, the points are exact.
    """
    if len(points) == 0:
        return np.zeros(0, dtype=bool)
    kept = np.asarray(moocore.is_nondominated(points, keep_weakly=True), dtype=bool)
    if best is None and worst is None:
        return kept
    best, worst = (points if ends is None else ends for ends in (best, worst))
    doubtful = np.flatnonzero(~kept)  # a point of the plain front cannot fall
    for objective in range(points.shape[1]):
        beaters = _beaters(points, worst[:, objective])
        fallen = _beaten(points[doubtful], best[doubtful, objective], points[beaters], worst[beaters, objective])
        doubtful = doubtful[~fallen]
    kept[doubtful] = True
    return kept


def _beaters(points: NDArray[np.float64], worst: NDArray[np.float64]) -> NDArray[np.intp]:
    """The rows that are enough to look at: any other has one at least as good in ``points`` and in ``worst``."""
    return np.flatnonzero(moocore.is_nondominated(np.column_stack([points, worst]), keep_weakly=False))


def _beaten(
    points: NDArray[np.float64], best: NDArray[np.float64], by: NDArray[np.float64], by_worst: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which ``points`` a row of ``by`` dominates through one objective, whose ends are given."""
    fallen = np.zeros(len(points), dtype=bool)
    for start in range(0, len(points), _CHUNK):
        rows = slice(start, start + _CHUNK)
        certain = by_worst[:, None] < best[None, rows]
        for objective in range(points.shape[1]):
            certain &= by[:, None, objective] <= points[None, rows, objective]
        fallen[rows] = certain.any(axis=0)
    return fallen


def tied(best: NDArray[np.float64], worst: NDArray[np.float64]) -> list[list[int]]:
    """For each row, the other rows that it cannot be told apart from: neither is certainly better in anything.

    Args:
        best: The better ends of the intervals, ``(n_points, n_objectives)``.
        worst: The worse ends, of the same shape.
    """
    pairs = _overlapping(best, worst)
    of, other = np.concatenate([pairs, pairs[::-1]], axis=1)
    order = np.argsort(of, kind="stable")
    starts = np.searchsorted(of[order], np.arange(len(best) + 1))
    others = other[order].tolist()
    return [others[start:end] for start, end in pairwise(starts.tolist())]


def _overlapping(best: NDArray[np.float64], worst: NDArray[np.float64]) -> NDArray[np.intp]:
    """Every two rows that overlap in all objectives, once, shape ``(2, n_pairs)``.

    In the order of the better ends in one objective, those that overlap with a row there and come after it are the
    next ones, up to where its worse end is. Only they are compared, in the objective that leaves the fewest.
    """
    orders = np.argsort(best, axis=0, kind="stable")
    ends = [
        np.searchsorted(best[order, objective], worst[order, objective], side="right")
        for objective, order in enumerate(orders.T)
    ]
    if not len(best):
        return np.zeros((2, 0), dtype=np.intp)
    fewest = min(range(len(ends)), key=lambda objective: int(ends[objective].sum()))
    order, last = orders[:, fewest], ends[fewest]
    low, high = best[order], worst[order]
    found = []
    for row in range(len(order)):
        after = slice(row + 1, last[row])
        same = ((low[after] <= high[row]) & (high[after] >= low[row])).all(axis=1)
        found.append(np.flatnonzero(same) + row + 1)
    first = np.repeat(np.arange(len(order)), [len(rows) for rows in found])
    return np.stack([order[first], order[np.concatenate(found)]])


def hypervolume(points: NDArray[np.float64]) -> float:
    """Share of the unit box that ``points`` ``(n_points, n_objectives)`` dominate, with the reference point at 1.

    Points beyond the reference point add nothing; no points give 0.
    """
    inside = points[(points < 1).all(axis=1)] if len(points) else points
    return float(moocore.hypervolume(inside, ref=np.ones(inside.shape[1]))) if len(inside) else 0.0
