"""The expected hypervolume improvement (EHVI), exactly, from independent posteriors of the objectives.

Emmerich, Giannakoglou and Naujoks (2006) introduced it; the computation over a box decomposition is that of Yang,
Emmerich, Deutz and Bäck (2019, Efficient computation of expected hypervolume improvement using box decomposition
algorithms, arXiv 1904.12672).
"""

from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter

import numpy as np

from search.objectives.arrays import Floats
from search.objectives.pareto_front import nondominated
from search.samplers.posterior import Posterior

Box = tuple[tuple[float, ...], tuple[float, ...]]
"""Lower and upper corner, each ``(n_objectives,)``."""


def expected_hypervolume_improvement(posteriors: Sequence[Posterior], lower: Floats, upper: Floats) -> Floats:
    """By how much each of ``n`` candidates is expected to increase the hypervolume, shape ``(n,)``.

    A point increases it by the part of each box that it dominates, a product over the objectives. With independent
    posteriors the expectation of the product is the product of the expectations.

    Args:
        posteriors: Of each objective.
        lower: Lower corners ``(n_boxes, n_objectives)`` of `nondominated_boxes`.
        upper: Upper corners.
    """
    improvements = []
    for objective, posterior in enumerate(posteriors):
        bounds = np.unique(np.concatenate([lower[:, objective], upper[:, objective]]))
        finite = bounds[np.isfinite(bounds)].tolist()
        improvements.append({bound: posterior.expected_improvement(bound) for bound in finite})
    total = np.zeros(len(posteriors[0].observed))
    for lower_corner, upper_corner in zip(lower.tolist(), upper.tolist(), strict=True):
        part = np.ones(len(total))
        for improvement, start, end in zip(improvements, lower_corner, upper_corner, strict=True):
            part *= improvement[end] - improvement[start] if start > -np.inf else improvement[end]
        total += part
    return total


def nondominated_boxes(points: Floats, reference_point: Floats) -> tuple[Floats, Floats]:
    """A box decomposition of the region that ``points`` ``(n, n_objectives)`` do not dominate.

    The region ends at ``reference_point`` ``(n_objectives,)`` and has no lower end. Points that are dominated or not
    better than the reference point in every objective are ignored. For two objectives there are at most ``n + 1``
    boxes, for three at most ``2 n + 1``; for more their number and the time grow quickly.

    Returns:
        The lower corners, perhaps minus infinity, and the upper corners, each ``(n_boxes, n_objectives)``.
    """
    inside = points[(points < reference_point).all(axis=1)]
    front = np.unique(inside[nondominated(inside)], axis=0) if len(inside) else inside
    boxes = _decompose(front, reference_point.tolist())
    lower, upper = zip(*boxes, strict=True)
    return np.array(lower, dtype=float), np.array(upper, dtype=float)


def _decompose(front: Floats, reference: list[float]) -> list[Box]:
    """The boxes for a front of nondominated points."""
    n_objectives = front.shape[1]
    if n_objectives == 1:
        return [((-np.inf,), (float(front.min(initial=reference[0])),))]
    if n_objectives == 2:
        return _stripes(front, reference)
    in_order = front[np.argsort(front[:, -1], kind="stable")]
    return _slices_in_3d(in_order, reference) if n_objectives == 3 else _slices(in_order, reference)


def _stripes(front: Floats, reference: list[float]) -> list[Box]:
    """Two objectives: a stripe between every two neighbouring points, up to the second objective of the left one."""
    steps = front[np.argsort(front[:, 0])].tolist()
    edges = [-np.inf, *(x for x, _ in steps), reference[0]]
    tops = [reference[1], *(y for _, y in steps)]
    return [((edges[i], -np.inf), (edges[i + 1], tops[i])) for i in range(len(tops))]


def _slices_in_3d(front: Floats, reference: list[float]) -> list[Box]:
    """Three objectives: a sweep along the third, in which each point changes a few neighbouring stripes of the others.

    An open stripe is its left and right edge in the first objective, its top in the second, and the level in the third
    from which on it is as it is.
    """
    stripes = [(-np.inf, reference[0], reference[1], -np.inf)]
    closed: list[tuple[tuple[float, float, float, float], float]] = []
    for x, y, level in front.tolist():
        first = last = bisect_right(stripes, x, key=itemgetter(1))
        while last < len(stripes) and stripes[last][2] > y:
            closed.append((stripes[last], level))
            last += 1
        if last > first:
            left_edge, _, left_top, _ = stripes[first]
            right_edge = stripes[last - 1][1]
            changed = [(x, right_edge, y, level)]
            if left_edge < x:
                changed.insert(0, (left_edge, x, left_top, level))
            stripes[first:last] = changed
    closed.extend((stripe, reference[2]) for stripe in stripes)
    boxes: list[Box] = []
    for (left, right, top, begin), end in closed:
        if begin < end:
            boxes.append(((left, -np.inf, begin), (right, top, end)))
    return boxes


def _slices(front: Floats, reference: list[float]) -> list[Box]:
    """Any number of objectives: a sweep along the last; a box of the others stays open until a point cuts it."""
    opened = dict.fromkeys(_decompose(front[:0, :-1], reference[:-1]), -np.inf)  # box: where it begins
    boxes: list[Box] = []
    for count, level in enumerate(front[:, -1].tolist(), start=1):
        so_far = front[:count, :-1]
        remaining = set(_decompose(so_far[nondominated(so_far)], reference[:-1]))
        for box in [box for box in opened if box not in remaining]:
            begin = opened.pop(box)
            if begin < level:
                boxes.append(((*box[0], begin), (*box[1], level)))
        opened = {**dict.fromkeys(remaining, level), **opened}
    boxes.extend(((*lower, begin), (*upper, reference[-1])) for (lower, upper), begin in opened.items())
    return boxes
