"""Whether choices can be completed, and if not, which of them are to blame: conflict-directed backjumping.

A search that tries one value after the other comes back to the choice before where nothing is left. Where that one has
nothing to do with the refusal, each of its values leads to the same: with ten such choices in between that is for ever.
Here each refusal names the choices that it depends on, which are those that a technique has looked at, and the search
goes back to the last of them (Prosser, Computational Intelligence 9(3), 1993).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from spaces.axis import Axis
from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.errors import RequestError
from spaces.technique import Earlier

MOST_TRIED = 100_000
"""Steps after which nothing is looked for any more: about two seconds. Where many choices refuse a later one together,
such as all that change the network, going back to the last of them helps little."""
Choices = Mapping[str, Scalar]
Blame = frozenset[str]
"""The names of the earlier choices without which the later ones might be completed."""


class DeadEnds:
    """Finds out where choices lead.

    Args:
        axes: The parameters in the order in which they are chosen.
        environment: The machine.
        earlier: Makes what a technique is told of choices.
    """

    def __init__(self, axes: Sequence[Axis], environment: Environment, earlier: Callable[[Choices], Earlier]) -> None:
        self._axes, self._environment, self._earlier = axes, environment, earlier
        self._tried = 0
        self._changing = frozenset(axis.name for axis in axes if axis.technique.changes_network)

    def blame(self, index: int, chosen: Choices) -> Blame | None:
        """None where each parameter from ``index`` on that is drawn can get a value after ``chosen``; else who is to
        blame. Empty blame is that of nobody: whatever else is chosen, the space has no configuration.

        Raises:
            RequestError: Neither was found in `MOST_TRIED` steps.
        """
        self._tried = 0
        return self._blame(index, self._earlier(chosen))

    def _blame(self, index: int, earlier: Earlier) -> Blame | None:
        if index == len(self._axes):
            return None
        axis = self._axes[index]
        self._tried += 1
        if self._tried > MOST_TRIED:
            raise RequestError(
                f"no configuration of this space was found in {MOST_TRIED:,} steps: {axis.name} and others refuse most "
                "combinations of the choices before them; offer fewer values of these"
            )
        blamed: set[str] = set()
        for following in self._following(axis, earlier):
            later = self._blame(index + 1, following)
            if later is None or axis.name not in later:
                return later
            blamed |= later
        return frozenset((blamed | self._looked_at(index, earlier)) - {axis.name})

    def _following(self, axis: Axis, earlier: Earlier) -> Iterator[Earlier]:
        """What is told after each value that ``axis`` can get, or ``earlier`` itself where it is not drawn."""
        if not axis.relevant(earlier, self._environment):
            yield earlier
            return
        for value in axis.values:
            if axis.reason(value, earlier, self._environment) is None:
                yield self._earlier({**earlier.choices, axis.name: value})

    def _looked_at(self, index: int, earlier: Earlier) -> set[str]:
        """The names of the earlier choices that decide which values axis ``index`` can get."""
        seen: set[str] = set()
        axis, names = self._axes[index], frozenset(before.name for before in self._axes[:index])
        watched = _watched(earlier, seen, names, self._changing)
        if axis.relevant(watched, self._environment):
            for value in axis.values:
                axis.reason(value, watched, self._environment)
        return seen


def _watched(earlier: Earlier, seen: set[str], names: Blame, changing: Blame) -> Earlier:
    """The same as ``earlier``, which writes into ``seen`` the names of the choices that are looked at.

    Args:
        earlier: What a technique is told.
        seen: Filled.
        names: Of all earlier parameters, chosen or not.
        changing: Of those parameters that decide the other fields of ``earlier``.
    """
    fields: dict[str, Any] = {**vars(earlier), "choices": _WatchedChoices(earlier.choices, seen, names)}
    watched = _WatchedEarlier(**fields)
    object.__setattr__(watched, "_note", lambda: seen.update(names & changing))
    return watched


class _WatchedEarlier(Earlier):
    def __getattribute__(self, name: str) -> Any:
        if name in _SUMMARIES:
            object.__getattribute__(self, "_note")()
        return object.__getattribute__(self, name)


_SUMMARIES = frozenset(Earlier.__dataclass_fields__) - {"choices"}
"""The fields that are made of the choices of all techniques that change the network."""


class _WatchedChoices(Mapping[str, Scalar]):
    def __init__(self, choices: Choices, seen: set[str], names: Blame) -> None:
        self._choices, self._seen, self._names = choices, seen, names

    def __getitem__(self, name: str) -> Scalar:
        self._seen.add(name)
        return self._choices[name]

    def __iter__(self) -> Iterator[str]:
        self._seen.update(self._names)
        return iter(self._choices)

    def __len__(self) -> int:
        self._seen.update(self._names)
        return len(self._choices)
