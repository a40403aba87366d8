"""Which points the line of a front passes through."""

from collections.abc import Sequence

from dashboards.figures.axes import Axis

Place = tuple[float, float]


def front_line(places: Sequence[Place], x: Axis, y: Axis) -> list[Place]:
    """Those of ``places`` that no other dominates by the estimates, from left to right."""
    kept, best = list[Place](), float("-inf")
    for place in sorted(places, key=lambda one: (-x.better * one[0], -y.better * one[1])):
        if y.better * place[1] > best:
            best = y.better * place[1]
            kept.append(place)
    return sorted(kept)
