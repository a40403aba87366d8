"""An ordered set of techniques that draws one configuration from a trial."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from spaces.configuration import Configuration, Scalar
from spaces.environment import Environment
from spaces.technique import CHANGES_THE_MODEL, Earlier, Parameter, Technique


class Draws(Protocol):
    """What a space needs of an Optuna trial."""

    def suggest_categorical(self, name: str, choices: tuple[Scalar, ...], /) -> Scalar:
        """One of ``choices``."""


@dataclass(frozen=True)
class Axis:
    """One parameter of one technique, with the values that this space offers for it."""

    technique: Technique
    parameter: Parameter
    values: tuple[Scalar, ...]


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """What may be chosen in this environment, in the order in which a candidate is built.

    A value is offered only when its technique supports it after the earlier choices *and* at least one value
    is left for every later parameter: a combination that cannot run is never drawn.
    """

    axes: tuple[Axis, ...]
    environment: Environment
    _known_options: dict[object, tuple[Scalar, ...]] = field(default_factory=dict, repr=False)

    def baseline(self) -> Configuration:
        """The teacher untouched: every drawn parameter at its neutral value."""
        chosen: dict[str, Scalar] = {}
        for axis in self.axes:
            if axis.technique.relevant(axis.parameter, self._earlier(chosen)):
                chosen[axis.parameter.name] = axis.technique.neutral(axis.parameter, self.environment)
        return Configuration(chosen)

    def draw(self, trial: Draws) -> Configuration:
        """Draw one configuration; a parameter with one option left is set without asking the trial."""
        chosen: dict[str, Scalar] = {}
        for index, axis in enumerate(self.axes):
            options = self.options(index, chosen)
            if options:
                chosen[axis.parameter.name] = (
                    options[0] if len(options) == 1 else trial.suggest_categorical(self._name(axis, options), options)
                )
        return Configuration(chosen)

    def options(self, index: int, chosen: Mapping[str, Scalar]) -> tuple[Scalar, ...]:
        """The values of axis ``index`` that can run after ``chosen``; empty where it is not drawn at all."""
        key = (index, tuple(sorted(chosen.items())))
        if key not in self._known_options:
            self._known_options[key] = self._find_options(index, chosen)
        return self._known_options[key]

    def configurations(self) -> Iterator[Configuration]:
        """Every configuration of the space, in the order of the axes."""
        yield from map(Configuration, self._complete(0, {}))

    def trial_parameters(self, configuration: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """The parameters that make `draw` return ``configuration``, by the names that it asks a trial for."""
        chosen: dict[str, Scalar] = {}
        named: dict[str, Scalar] = {}
        for index, axis in enumerate(self.axes):
            options = self.options(index, chosen)
            if options:
                chosen[axis.parameter.name] = configuration[axis.parameter.name]
                if len(options) > 1:
                    named[self._name(axis, options)] = configuration[axis.parameter.name]
        return named

    def settings_of(self, technique: Technique, configuration: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """The choices in ``configuration`` that belong to ``technique``; empty where all are neutral."""
        own = {p.name: configuration[p.name] for p in technique.parameters if p.name in configuration}
        neutral = all(own[p.name] == technique.neutral(p, self.environment) for p in technique.parameters if p.name in own)
        return {} if neutral else own

    @property
    def techniques(self) -> tuple[Technique, ...]:
        """The techniques of the space, in the order of their stages."""
        return tuple(dict.fromkeys(axis.technique for axis in self.axes))

    def reasons(self) -> list[tuple[str, Scalar, str]]:
        """Every (parameter, value, reason) that is off in this environment whatever is chosen earlier."""
        nothing = Earlier({}, model_changed=True)
        return [
            (axis.parameter.name, value, reason)
            for axis in self.axes
            for value in axis.values
            if (reason := self._reason(axis, value, nothing))
        ]

    def _find_options(self, index: int, chosen: Mapping[str, Scalar]) -> tuple[Scalar, ...]:
        axis, earlier = self.axes[index], self._earlier(chosen)
        if not axis.technique.relevant(axis.parameter, earlier):
            return ()
        return tuple(
            value
            for value in axis.values
            if self._reason(axis, value, earlier) is None
            and self._can_complete(index + 1, {**chosen, axis.parameter.name: value})
        )

    def _complete(self, index: int, chosen: dict[str, Scalar]) -> Iterator[dict[str, Scalar]]:
        if index == len(self.axes):
            yield dict(chosen)
            return
        options = self.options(index, chosen)
        if not options:
            yield from self._complete(index + 1, chosen)
        for value in options:
            yield from self._complete(index + 1, {**chosen, self.axes[index].parameter.name: value})

    def _earlier(self, chosen: Mapping[str, Scalar]) -> Earlier:
        changed = any(
            axis.technique.stage in CHANGES_THE_MODEL
            and chosen.get(axis.parameter.name, axis.parameter.neutral) != axis.parameter.neutral
            for axis in self.axes
        )
        return Earlier(chosen, changed)

    def _reason(self, axis: Axis, value: Scalar, earlier: Earlier) -> str | None:
        if value == axis.technique.neutral(axis.parameter, self.environment):
            return axis.technique.unsupported(axis.parameter, value, earlier, self.environment)
        limits = self.environment.model_limits.get(axis.technique.name)
        missing = [self.environment.missing[p] for p in axis.technique.needs if p in self.environment.missing]
        return limits or next(iter(missing), None) or axis.technique.unsupported(
            axis.parameter, value, earlier, self.environment
        )

    def _can_complete(self, index: int, chosen: Mapping[str, Scalar]) -> bool:
        """Whether every drawn parameter from ``index`` on has an option left."""
        if index == len(self.axes):
            return True
        axis, earlier = self.axes[index], self._earlier(chosen)
        if not axis.technique.relevant(axis.parameter, earlier):
            return self._can_complete(index + 1, chosen)
        return bool(self.options(index, chosen))

    @staticmethod
    def _name(axis: Axis, options: tuple[Scalar, ...]) -> str:
        """Optuna keeps one list of choices for a name, so a shorter list is a parameter of its own."""
        whole = axis.parameter.name
        return whole if options == axis.values else f"{whole} of {', '.join(map(str, options))}"
