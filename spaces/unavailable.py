"""What a space asks for and this machine cannot run, with the reasons."""

from dataclasses import dataclass

from spaces.configuration import Scalar
from spaces.number_formats import NUMBER_FORMATS
from spaces.search_space import SearchSpace


@dataclass(frozen=True)
class Unavailable:
    """A value of a choice that is never drawn, or not in every number format.

    Attributes:
        choice: Name of the parameter.
        value: The value.
        reason: Why not.
    """

    choice: str
    value: Scalar
    reason: str


def unavailable(space: SearchSpace) -> list[Unavailable]:
    """What ``space`` was asked for and never draws here, and the pairs of a runtime and a number format among it."""
    found = [Unavailable(name, value, reason) for name, value, reason in space.reasons()]
    offered = {axis.name: axis.values for axis in space.axes}
    off = {(entry.choice, entry.value) for entry in found}
    pairs = [
        Unavailable("runtime", name, reason)
        for name in offered.get("runtime", ())
        for precision in offered.get("numeric_precision", ())
        if ("runtime", name) not in off
        and ("numeric_precision", precision) not in off
        and (reason := NUMBER_FORMATS[str(precision)].unsupported_in(str(name), space.environment))
    ]
    return found + pairs
