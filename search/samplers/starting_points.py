"""The configurations that every study begins with."""

from spaces.axis import Axis
from spaces.configuration import Configuration, Scalar
from spaces.search_space import SearchSpace
from spaces.technique import Stage


def starting_points(space: SearchSpace) -> list[Configuration]:
    """The baseline, then all that changes the network and how it is lowered at once, then each technique alone.

    A technique takes the last value listed, and the others are neutral. Where another cannot be neutral (int8 needs a
    runtime that runs it), it takes its first value that can run. Values of how a network is lowered have no order, and
    need no training: of these each one is tried. Another network in place of the given one is tried alone: what else
    is changed at once is known to fit the given one.

    Where a space offers every value that there is, the last one is that of those offered by default, and techniques
    that are not offered by default are left to the sampler: they are too many to try each.
    """
    baseline = space.baseline()
    points: list[Configuration | None] = [baseline]
    axes = [axis for axis in space.axes if not (axis.parameter.only_where_named and _is_complete(axis, space))]
    together = [axis for axis in axes if axis.technique.stage <= Stage.OPTIONS and not axis.technique.replaces_network]
    if together:
        last_values = {axis.name: _last(axis, space) for axis in together}
        points.append(_closest(space, {**baseline, **last_values}, together[0].name))
    for axis in axes:
        each = axis.technique.stage in (Stage.LOWER, Stage.OPTIONS)
        for value in axis.values if each else (_last(axis, space),):
            if value != baseline.get(axis.name):
                points.append(_closest(space, {**baseline, axis.name: value}, axis.name))
    return list(dict.fromkeys(point for point in points if point is not None))


def untrained_points(space: SearchSpace) -> list[Configuration]:
    """The starting points after the baseline in which nothing is trained, which a trained model begins with."""
    changing = [technique for technique in space.techniques if technique.changes_network]
    _, *others = starting_points(space)
    return [point for point in others if not any(space.settings_of(technique, point) for technique in changing)]


def _last(axis: Axis, space: SearchSpace) -> Scalar:
    """The last of the values of ``axis``; where these are all that there are, the last offered by default."""
    default = axis.technique.choices(axis.parameter, space.environment) if _is_complete(axis, space) else axis.values
    return next(value for value in reversed(axis.values) if value in default)


def _is_complete(axis: Axis, space: SearchSpace) -> bool:
    """Whether the space offers every value of ``axis`` that there is."""
    return set(axis.technique.every(axis.parameter, space.environment)) <= set(axis.values)


def _closest(space: SearchSpace, wanted: dict[str, Scalar], fixed: str) -> Configuration | None:
    """The configuration that takes the wanted value wherever it can run; None where ``fixed`` itself cannot."""
    chosen: dict[str, Scalar] = {}
    for index, axis in enumerate(space.axes):
        options = space.options(index, chosen)
        if options:
            value = wanted.get(axis.name, axis.neutral(space.environment))  # what the baseline does not draw
            chosen[axis.name] = value if value in options else options[0]
    return Configuration(chosen) if chosen.get(fixed) == wanted[fixed] else None
