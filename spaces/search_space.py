"""The search space: an ordered set of techniques, from which a trial draws one configuration."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from spaces.axis import Axis
from spaces.configuration import Configuration, Scalar
from spaces.dead_ends import DeadEnds
from spaces.environment import Environment
from spaces.errors import RequestError
from spaces.setting_error import SettingError
from spaces.technique import Earlier, Technique

__all__ = ["Axis", "Draws", "EmptySpace", "SearchSpace"]


class EmptySpace(SettingError):
    """No combination of the offered values can run here."""


class Draws(Protocol):
    """The part of an Optuna trial that a search space uses."""

    def suggest_categorical(self, name: str, choices: tuple[Scalar, ...], /) -> Any:
        """One of ``choices``."""


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """The choices that are available in an environment, in the order in which a candidate is built.

    A value is an option if its technique supports it after the earlier choices *and* each later parameter still has an
    option. So a combination that cannot run is never drawn.

    Attributes:
        axes: The parameters, each with the values that were asked for.
        environment: The machine that measures, and the software on it.

    Raises:
        EmptySpace: No combination of the offered values can run here; its ``at`` names the parameter of which no
            value can, where there is one.
    """

    axes: tuple[Axis, ...]
    environment: Environment
    _known_options: dict[object, tuple[Scalar, ...]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self._dead_ends.blame(0, {}) is not None:
            reasons = self._why_empty()
            off = "; ".join(f"{name} {value}: {reason}" for name, value, reason in reasons)
            blamed = {name for name, _, _ in reasons}
            at = tuple(blamed) if len(blamed) == 1 else ()
            raise EmptySpace(f"nothing in this space can run here ({off}); offer others", at)

    @property
    def techniques(self) -> tuple[Technique, ...]:
        """The techniques of the space, in the order of their stages."""
        return tuple(dict.fromkeys(axis.technique for axis in self.axes))

    def baseline(self) -> Configuration:
        """The unchanged teacher: each drawn parameter at its neutral value, even if the space does not offer that."""
        chosen: dict[str, Scalar] = {}
        for axis in self.axes:
            if axis.relevant(self.earlier(chosen), self.environment):
                chosen[axis.name] = axis.neutral(self.environment)
        return Configuration(chosen)

    def draw(self, trial: Draws) -> Configuration:
        """One configuration, drawn by ``trial``; a parameter with one option is set without the trial."""
        chosen: dict[str, Scalar] = {}
        for index, axis in enumerate(self.axes):
            options = self.options(index, chosen)
            if len(options) == 1:
                chosen[axis.name] = options[0]
            elif options:
                chosen[axis.name] = trial.suggest_categorical(axis.name_among(options), options)
        return Configuration(chosen)

    def options(self, index: int, chosen: Mapping[str, Scalar]) -> tuple[Scalar, ...]:
        """The values of axis ``index`` that can run after ``chosen``; empty where the parameter is not drawn."""
        key = (index, tuple(sorted(chosen.items())))
        if key not in self._known_options:
            self._known_options[key] = self._find_options(index, chosen)
        return self._known_options[key]

    def first_option(self, index: int, chosen: Mapping[str, Scalar], wanted: Iterable[Scalar]) -> Scalar | None:
        """The first of the values ``wanted`` of axis ``index`` that can run after ``chosen``.

        It is None where the parameter is not drawn. Unlike `options` it looks no further and remembers nothing: it is
        for whoever draws thousands of configurations.
        """
        axis, earlier = self.axes[index], self.earlier(chosen)
        if not axis.relevant(earlier, self.environment):
            return None
        return next((value for value in wanted if self._runs(index, value, chosen, earlier)), None)

    def configurations(self) -> Iterator[Configuration]:
        """Every configuration of the space, in the order of the axes."""
        return map(Configuration, self._complete(0, {}))

    def trial_parameters(self, configuration: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """The Optuna parameters with which `draw` returns ``configuration``.

        Raises:
            RequestError: The space does not contain it: a choice is not available, is missing, or is superfluous.
        """
        chosen: dict[str, Scalar] = {}
        named: dict[str, Scalar] = {}
        for index, axis in enumerate(self.axes):
            options = self.options(index, chosen)
            if options:
                chosen[axis.name] = axis.offered(options, configuration)
            if len(options) > 1:
                named[axis.name_among(options)] = chosen[axis.name]
        extra = set(configuration) - set(chosen)
        if extra:
            raise RequestError(f"{min(extra)} is not drawn after the other choices of this configuration; leave it out")
        return named

    def contains(self, configuration: Mapping[str, Scalar]) -> bool:
        """Whether `draw` can return ``configuration``. The baseline can be outside of the space."""
        try:
            self.trial_parameters(configuration)
        except RequestError:
            return False
        return True

    def choices_of(self, technique: Technique, configuration: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """The choices of ``configuration`` for the parameters of ``technique``; empty where none was drawn."""
        return {p.name: configuration[p.name] for p in technique.parameters if p.name in configuration}

    def neutral_of(self, technique: Technique, configuration: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """The neutral values of the same parameters."""
        drawn = [p for p in technique.parameters if p.name in configuration]
        return {p.name: technique.neutral(p, self.environment) for p in drawn}

    def settings_of(self, technique: Technique, configuration: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """The choices of ``configuration`` for the parameters of ``technique``; empty where all are neutral."""
        own = self.choices_of(technique, configuration)
        return {} if own == self.neutral_of(technique, configuration) else own

    def reasons(self) -> list[tuple[str, Scalar, str]]:
        """Each (parameter, value, reason) that is unavailable in this environment after any earlier choices."""
        return [
            (axis.name, value, reason)
            for index, axis in enumerate(self.axes)
            for value in axis.values
            if (reason := self._always_off(index, value) or self._dead_end(index, value))
        ]

    def _why_empty(self) -> list[tuple[str, Scalar, str]]:
        """The reasons of the first parameter of which no value can run, whatever else is chosen; else `reasons`."""
        for index, axis in enumerate(self.axes):
            reasons = [(axis.name, value, self._always_off(index, value) or "") for value in axis.values]
            if reasons and all(reason for _, _, reason in reasons):
                return reasons
        return self.reasons()

    def _always_off(self, index: int, value: Scalar) -> str | None:
        """Why ``value`` cannot run without earlier choices, or None where one earlier choice makes it run."""
        single = ({axis.name: other} for axis in self.axes[:index] for other in axis.values)
        first: str | None = None
        for chosen in ({}, *single):
            reason = self.axes[index].reason(value, Earlier(chosen, model_changed=True), self.environment)
            if reason is None:
                return None
            first = first or reason
        return first

    def _dead_end(self, index: int, value: Scalar) -> str | None:
        """Why a later parameter has no option after ``value``; None where each has one or a choice between gives it."""
        earlier = self.earlier({self.axes[index].name: value})
        for place, later in enumerate(self.axes[index + 1 :], index + 1):
            reasons = [later.reason(other, earlier, self.environment) for other in later.values]
            if later.relevant(earlier, self.environment) and all(reasons) and not self._opened(index, value, place):
                return f"no offered {later.name} goes with it: {reasons[0]}"
        return None

    def _opened(self, index: int, value: Scalar, place: int) -> bool:
        """Whether one choice between makes an option of the parameter at ``place`` run after ``value``, or drops it."""
        later, chosen = self.axes[place], {self.axes[index].name: value}
        return any(
            not later.relevant(earlier, self.environment)
            or not all(later.reason(option, earlier, self.environment) for option in later.values)
            for axis in self.axes[index + 1 : place]
            for other in axis.values
            if axis.reason(other, self.earlier(chosen), self.environment) is None
            for earlier in [self.earlier({**chosen, axis.name: other})]
        )

    def _find_options(self, index: int, chosen: Mapping[str, Scalar]) -> tuple[Scalar, ...]:
        axis, earlier = self.axes[index], self.earlier(chosen)
        if not axis.relevant(earlier, self.environment):
            return ()
        return tuple(value for value in axis.values if self._runs(index, value, chosen, earlier))

    def _runs(self, index: int, value: Scalar, chosen: Mapping[str, Scalar], earlier: Earlier) -> bool:
        axis = self.axes[index]
        supported = axis.reason(value, earlier, self.environment) is None
        return supported and self._dead_ends.blame(index + 1, {**chosen, axis.name: value}) is None

    def _complete(self, index: int, chosen: dict[str, Scalar]) -> Iterator[dict[str, Scalar]]:
        if index == len(self.axes):
            yield chosen
            return
        options = self.options(index, chosen)
        if not options:
            yield from self._complete(index + 1, chosen)
        for value in options:
            yield from self._complete(index + 1, {**chosen, self.axes[index].name: value})

    @cached_property
    def _dead_ends(self) -> DeadEnds:
        return DeadEnds(self.axes, self.environment, self.earlier)

    @cached_property
    def _changing(self) -> Mapping[str, tuple[Technique, Scalar]]:
        """The technique of each parameter that changes the network, and the neutral value here."""
        changing = [axis for axis in self.axes if axis.technique.changes_network]
        return {axis.name: (axis.technique, axis.neutral(self.environment)) for axis in changing}

    def earlier(self, chosen: Mapping[str, Scalar]) -> Earlier:
        """What a later choice is told of the choices ``chosen`` so far."""
        known = self._changing
        changing = [known[name][0] for name, value in chosen.items() if name in known and value != known[name][1]]
        return Earlier(
            chosen,
            model_changed=bool(changing),
            changed_in=frozenset(technique.stage for technique in changing),
            keeps_weights=all(technique.keeps_weights for technique in changing),
            skips_layers=any(technique.skips_layers for technique in changing),
        )
