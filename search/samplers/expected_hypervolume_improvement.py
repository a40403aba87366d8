"""How much hypervolume a candidate is expected to add, exactly, from beliefs about each of its losses."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from search.objectives.pareto_front import nondominated
from search.samplers.output_transform import Floats, ShiftedLog


@dataclass(frozen=True)
class Posterior:
    """About one column of ``n`` candidates: known where ``known`` is not NaN, otherwise Gaussian on ``scale``.

    Attributes:
        scale: Where the belief is Gaussian.
        known: Values ``(n,)``, NaN where unknown.
        mean: On the scale, ``(n,)``.
        sd: On the scale, ``(n,)``.
    """

    scale: ShiftedLog
    known: Floats
    mean: Floats
    sd: Floats

    def of(self, rows: NDArray[np.intp]) -> "Posterior":
        """The belief about some of the candidates."""
        return Posterior(self.scale, self.known[rows], self.mean[rows], self.sd[rows])

    def expected(self) -> Floats:
        """One value for each candidate, shape ``(n,)``: the known one or else the median."""
        return np.where(np.isnan(self.known), self.scale.median(self.mean), self.known)

    def below(self, bound: float) -> Floats:
        """Probability of a value of at most ``bound``, shape ``(n,)``."""
        sure = (self.known <= bound).astype(float)
        unknown = np.isnan(self.known)
        if unknown.any():
            sure[unknown] = self.scale.below(bound, self.mean[unknown], self.sd[unknown])
        return sure

    def shortfall(self, bound: float) -> Floats:
        """Expectation of ``max(bound - y, 0)``, shape ``(n,)``."""
        gap = np.maximum(bound - self.known, 0.0)
        unknown = np.isnan(gap)
        if unknown.any():
            gap[unknown] = self.scale.shortfall(bound, self.mean[unknown], self.sd[unknown])
        return gap


def expected_improvement(posteriors: Sequence[Posterior], lower: Floats, upper: Floats) -> Floats:
    """Expected growth of the hypervolume by each of ``n`` candidates, shape ``(n,)``.

    The room that nothing dominates yet is cut into boxes. What a point adds is the part of each box that it
    dominates, a product over the objectives; with independent beliefs the expectation is a product too.

    Args:
        beliefs: About each objective.
        lower: Corners ``(n_boxes, n_objectives)`` of `free_boxes`.
        upper: The opposite corners.
    """
    gaps = [
        {bound: posterior.shortfall(bound) for bound in _bounds(lower, upper, j)}
        for j, posterior in enumerate(posteriors)
    ]
    total = np.zeros(len(posteriors[0].known))
    for low, high in zip(lower.tolist(), upper.tolist(), strict=True):
        part = np.ones(len(total))
        for gap, start, end in zip(gaps, low, high, strict=True):
            part *= gap[end] - gap[start] if start > -np.inf else gap[end]
        total += part
    return total


def _bounds(lower: Floats, upper: Floats, objective: int) -> list[float]:
    ends = np.unique(np.concatenate([lower[:, objective], upper[:, objective]]))
    finite: list[float] = ends[np.isfinite(ends)].tolist()
    return finite


def free_boxes(points: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Boxes that fill what ``points`` ``(n, n_objectives)`` do not dominate below ``reference`` ``(n_objectives,)``.

    Gives the lower corners, -inf where there is no end, and the upper ones, each ``(n_boxes, n_objectives)``.
    Up to three objectives it is fast: the boxes are about as many as the points.
    """
    inside = points[(points < reference).all(axis=1)]
    front = np.unique(inside[nondominated(inside)], axis=0) if len(inside) else inside
    lower, upper = _fill(front, reference.tolist())
    return np.array(lower, dtype=float), np.array(upper, dtype=float)


Corners = list[tuple[float, ...]]


def _fill(front: Floats, reference: list[float]) -> tuple[Corners, Corners]:
    if front.shape[1] == 1:
        return [(-np.inf,)], [(float(front.min(initial=reference[0])),)]
    if front.shape[1] == 2:
        return _stairs(front, reference)
    front = front[np.argsort(front[:, -1], kind="stable")]
    return _sweep_over_stairs(front, reference) if front.shape[1] == 3 else _sweep(front, reference)


def _stairs(front: Floats, reference: list[float]) -> tuple[Corners, Corners]:
    steps = front[np.argsort(front[:, 0])].tolist()
    edges = [-np.inf, *(x for x, _ in steps), reference[0]]
    tops = [reference[1], *(y for _, y in steps)]
    return [(x, -np.inf) for x in edges[:-1]], list(zip(edges[1:], tops, strict=True))


def _sweep_over_stairs(front: Floats, reference: list[float]) -> tuple[Corners, Corners]:
    """Three objectives: each point, in the order of the last, cuts a few neighbouring boxes of the first two."""
    boxes = [(-np.inf, reference[0], reference[1], -np.inf)]  # from and to in the first, top in the second, begun
    ended: list[tuple[tuple[float, float, float, float], float]] = []
    for x, y, level in front.tolist():
        first = last = bisect_right(boxes, x, key=itemgetter(1))
        while last < len(boxes) and boxes[last][2] > y:
            ended.append((boxes[last], level))
            last += 1
        if last > first:
            left, end = boxes[first], boxes[last - 1][1]
            beside = [(left[0], x, left[2], level)] if left[0] < x else []
            boxes[first:last] = [*beside, (x, end, y, level)]
    ended.extend((box, reference[2]) for box in boxes)
    solid = [(box, level) for box, level in ended if box[3] < level]
    return [(box[0], -np.inf, box[3]) for box, _ in solid], [(box[1], box[2], level) for box, level in solid]


def _sweep(front: Floats, reference: list[float]) -> tuple[Corners, Corners]:
    """Any number of objectives, slowly: a box of all but the last goes on for as long as no point cuts into it."""
    opened = dict.fromkeys(_pairs(front[:0, :-1], reference[:-1]), -np.inf)
    lower: Corners = []
    upper: Corners = []
    for count, level in enumerate(front[:, -1].tolist(), start=1):
        before = front[:count, :-1]
        still = _pairs(before[nondominated(before)], reference[:-1])
        for box in [box for box in opened if box not in still]:
            begun = opened.pop(box)
            if begun < level:
                lower.append((*box[0], begun))
                upper.append((*box[1], level))
        opened = {**dict.fromkeys(still, level), **opened}
    lower.extend((*box[0], begun) for box, begun in opened.items())
    upper.extend((*box[1], reference[-1]) for box in opened)
    return lower, upper


def _pairs(front: Floats, reference: list[float]) -> set[tuple[tuple[float, ...], tuple[float, ...]]]:
    return set(zip(*_fill(front, reference), strict=True))
