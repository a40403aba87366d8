"""A configuration without some of its choices: each set to the value that leaves the teacher as it is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from spaces.axis import Axis
from spaces.configuration import Configuration, Scalar
from spaces.errors import WorkFailed
from spaces.search_space import SearchSpace


@dataclass(frozen=True)
class TakenBack:
    """A configuration without some of its choices.

    Attributes:
        configuration: The choices that are left.
        names: What was taken back.
        implied: Other choices that had to leave with them, as int8 leaves with the runtime that computes it.
    """

    configuration: Configuration
    names: tuple[str, ...]
    implied: tuple[str, ...]


def made_choices(space: SearchSpace, configuration: Mapping[str, Scalar]) -> tuple[str, ...]:
    """The choices of ``configuration`` that differ from the teacher's, in the order of the space."""
    environment = space.environment
    return tuple(
        axis.name
        for axis in space.axes
        if axis.name in configuration and configuration[axis.name] != axis.neutral(environment)
    )


def take_back(space: SearchSpace, configuration: Mapping[str, Scalar], names: tuple[str, ...]) -> TakenBack:
    """``configuration`` without the choices ``names``; the others stay, where they can run without them.

    Where a neutral value cannot run beside what is left, the fewest other choices leave too.

    Raises:
        WorkFailed: Nothing that is left can run, not even the teacher itself.
    """
    made = made_choices(space, configuration)
    others = [name for name in made if name not in names]
    for count in range(len(others) + 1):
        for more in combinations(others, count):
            left = _left(space, configuration, {*names, *more})
            if left is not None:
                gone = {name for name in made if left.get(name) != configuration[name]} - set(names)
                return TakenBack(left, names, tuple(name for name in made if name in gone))
    raise WorkFailed(f"without {', '.join(names)} nothing of the configuration can run on this machine")


def pairs_of(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each two of ``names`` once."""
    return combinations(names, 2)


def _left(space: SearchSpace, configuration: Mapping[str, Scalar], names: set[str]) -> Configuration | None:
    """The choices without ``names``; None where one of the neutral values that they need cannot run."""
    chosen: dict[str, Scalar] = {}
    for axis in space.axes:
        if axis.relevant(space.earlier(chosen), space.environment):
            value = _value(space, axis, chosen, None if axis.name in names else configuration.get(axis.name))
            if value is None:
                return None
            chosen[axis.name] = value
    return Configuration(chosen)


def _value(space: SearchSpace, axis: Axis, chosen: Mapping[str, Scalar], kept: Scalar | None) -> Scalar | None:
    """What ``axis`` is set to: the value that is ``kept``, else its neutral one; None where that cannot run."""
    values = [axis.neutral(space.environment)] if kept is None else [kept, axis.neutral(space.environment)]
    earlier = space.earlier(chosen)
    return next((value for value in values if axis.reason(value, earlier, space.environment) is None), None)
