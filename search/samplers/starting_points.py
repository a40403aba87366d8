"""The configurations that every study begins with."""

from spaces.configuration import Configuration, Scalar
from spaces.search_space import SearchSpace
from spaces.technique import Stage


def starting_points(space: SearchSpace) -> list[Configuration]:
    """The baseline, then all that changes the network and how it is lowered at once, then each technique alone.

    A technique takes the last value listed, and the others are neutral. Where another cannot be neutral (int8 needs a
    runtime that runs it), it takes its first value that can run. Values of how a network is lowered have no order, and
    need no training: of these each one is tried. Another network in place of the given one is tried alone: what else
    is changed at once is known to fit the given one.
    """
    baseline = space.baseline()
    points: list[Configuration | None] = [baseline]
    changes = [a for a in space.axes if a.technique.stage <= Stage.OPTIONS and not a.technique.replaces_network]
    if changes:
        last_values = {axis.name: axis.values[-1] for axis in changes}
        points.append(_closest(space, {**baseline, **last_values}, changes[0].name))
    for axis in space.axes:
        for value in axis.values if axis.technique.stage in (Stage.LOWER, Stage.OPTIONS) else axis.values[-1:]:
            if value != baseline.get(axis.name):
                points.append(_closest(space, {**baseline, axis.name: value}, axis.name))
    return list(dict.fromkeys(point for point in points if point is not None))


def untrained_points(space: SearchSpace) -> list[Configuration]:
    """The starting points after the baseline in which nothing is trained, which a trained model begins with."""
    changing = [technique for technique in space.techniques if technique.changes_network]
    _, *others = starting_points(space)
    return [point for point in others if not any(space.settings_of(technique, point) for technique in changing)]


def _closest(space: SearchSpace, wanted: dict[str, Scalar], fixed: str) -> Configuration | None:
    """The configuration that takes the wanted value wherever it can run; None where ``fixed`` itself cannot."""
    chosen: dict[str, Scalar] = {}
    for index, axis in enumerate(space.axes):
        options = space.options(index, chosen)
        if options:
            value = wanted.get(axis.name, axis.neutral(space.environment))  # what the baseline does not draw
            chosen[axis.name] = value if value in options else options[0]
    return Configuration(chosen) if chosen.get(fixed) == wanted[fixed] else None
