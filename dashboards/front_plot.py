"""The front as a small plot of characters for a terminal."""

import math
from collections.abc import Sequence

from dashboards.figures.front_points import FrontPoints, Point

HEIGHT = 12
_LEFT = 9
"""Characters in front of the plot, for the values of the vertical axis."""


def front_plot(points: FrontPoints, width: int, height: int = HEIGHT) -> str:
    """The trials as dots and the members of the front as their numbers, ``B`` for the baseline.

    Args:
        points: The table behind the figure of the front.
        width: The number of characters of a line, the axis included.
        height: The number of lines between the axes.

    Returns:
        Lines without colours; empty where nothing is measured.
    """
    shown = points.points
    if not shown:
        return ""
    columns = max(20, width - _LEFT - 2)
    logarithmic = points.x.is_logarithmic([point.x for point in shown])
    xs = _places([math.log(point.x) if logarithmic else point.x for point in shown], columns - 3)
    ys = _places([point.y for point in shown], height - 1)
    grid = [[" "] * columns for _ in range(height)]
    order = sorted(range(len(shown)), key=lambda index: _rank(shown[index]))
    for index in order:
        text = _mark(shown[index])
        row = grid[height - 1 - ys[index]]
        at = _free(row, xs[index], len(text))
        row[at : at + len(text)] = text
    low, high = min(point.y for point in shown), max(point.y for point in shown)
    labels = {0: points.y.text(high), height - 1: points.y.text(low)}
    lines = [f"{labels.get(number, ''):>{_LEFT}} |{''.join(row)}".rstrip() for number, row in enumerate(grid)]
    ends = [points.x.text(edge([point.x for point in shown])) for edge in (min, max)]
    title = f"{points.x.label or points.x.name}"
    gap = columns - len(ends[0]) - len(ends[1]) - len(title)
    under = f"{ends[0]}{' ' * (gap // 2)}{title}{' ' * (gap - gap // 2)}{ends[1]}"
    return "\n".join([*lines, f"{'':>{_LEFT}} +{'-' * columns}", f"{'':>{_LEFT}}  {under}"])


def _mark(point: Point) -> str:
    return {"baseline": "B", "front": str(point.trial)}.get(point.kind, ".")


def _free(row: Sequence[str], at: int, length: int) -> int:
    """The first place from ``at`` on, else before it, where no number is beside it; ``at`` where there is none."""
    places = [*range(at, len(row) - length + 1), *range(at - 1, -1, -1)]
    return next((one for one in places if set(row[max(0, one - 1) : one + length + 1]) <= {" ", "."}), at)


def _rank(point: Point) -> tuple[int, int]:
    """What is drawn first, and may be drawn over."""
    return {"trial": 0, "baseline": 1, "front": 2}[point.kind], point.trial


def _places(values: Sequence[float], last: int) -> list[int]:
    """From 0 to ``last``, in even steps from the lowest of ``values`` to the highest."""
    low = min(values)
    spread = max(values) - low
    return [round((value - low) / spread * last) if spread else last // 2 for value in values]
