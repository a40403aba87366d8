"""On which sides of their dots labels are printed, so that they cover neither each other nor other dots."""

from collections.abc import Mapping, Sequence

Place = tuple[float, float]
Box = tuple[float, float, float, float]
_GAP_PX, _LETTER_PX, _HIGH_PX, _DOT_PX = 7.0, 9.0, 16.0, 5.0


def label_places(labels: Mapping[int, str], dots: Mapping[int, Place], sides: Sequence[str]) -> dict[int, str]:
    """The side of its dot for each label that has room; one that would cover another label is left out.

    Args:
        labels: By the number of its dot, the most important first.
        dots: Where each dot is, in pixels to the right and upwards.
        sides: Plotly's ``textposition``, the best first.
    """
    found, placed = dict[int, str](), list[Box]()
    for number, label in labels.items():
        boxes = {side: _box(dots[number], label, side) for side in sides}
        free = {side: box for side, box in boxes.items() if not any(_overlap(box, other) for other in placed)}
        others = [_around(place) for one, place in dots.items() if one != number]
        covered = {side: sum(_overlap(box, other) for other in others) for side, box in free.items()}
        if covered:
            found[number] = side = min(covered, key=covered.__getitem__)
            placed.append(free[side])
    return found


def _box(dot: Place, label: str, side: str) -> Box:
    """Left, bottom, right and top of a label on a ``side`` of its dot."""
    vertical, _, across = side.partition(" ")
    wide = _LETTER_PX * len(label)
    left = {"left": -_GAP_PX - wide, "center": -wide / 2, "right": _GAP_PX}[across]
    bottom = {"bottom": -_GAP_PX - _HIGH_PX, "middle": -_HIGH_PX / 2, "top": _GAP_PX}[vertical]
    return dot[0] + left, dot[1] + bottom, dot[0] + left + wide, dot[1] + bottom + _HIGH_PX


def _around(dot: Place) -> Box:
    return dot[0] - _DOT_PX, dot[1] - _DOT_PX, dot[0] + _DOT_PX, dot[1] + _DOT_PX


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
