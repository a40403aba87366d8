"""One parameter of one technique, with the values that a space offers for it."""

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.errors import RequestError
from spaces.technique import Earlier, Parameter, Stage, Technique


@dataclass(frozen=True)
class Axis:
    """One parameter of one technique, with the values that this space offers for it."""

    technique: Technique
    parameter: Parameter
    values: tuple[Scalar, ...]

    @property
    def name(self) -> str:
        """The name of the parameter."""
        return self.parameter.name

    def neutral(self, environment: Environment) -> Scalar:
        """The value that does not change the teacher in ``environment``."""
        return self.technique.neutral(self.parameter, environment)

    def relevant(self, earlier: Earlier, environment: Environment) -> bool:
        """Whether the parameter is drawn after these earlier choices."""
        return self.technique.relevant(self.parameter, earlier, environment)

    def reason(self, value: Scalar, earlier: Earlier, environment: Environment) -> str | None:
        """Why ``value`` cannot run, or None; the neutral value needs no optional package and suits every network."""
        if value != self.neutral(environment):
            needs_training = self.technique.changes_network or self.technique.stage is Stage.TRAIN
            if environment.cannot_train and needs_training:
                return environment.cannot_train
            choices = ChainMap({self.name: value}, earlier.choices)  # type: ignore[arg-type]  # it is only read
            limits = (limit for limit in environment.model_limits if self.name in limit.choices)
            if limit := next((limit for limit in limits if limit.covers(choices)), None):
                return limit.reason
            missing = [
                environment.missing[package] for package in self.technique.needs if package in environment.missing
            ]
            if missing:
                return missing[0]
        return self.technique.unsupported(self.parameter, value, earlier, environment)

    def name_among(self, options: tuple[Scalar, ...]) -> str:
        """The name of the Optuna parameter whose choices are ``options``.

        Optuna allows one list of choices for a name, so a shorter list gets a name of its own.
        """
        return self.name if options == self.values else f"{self.name} of {', '.join(map(str, options))}"

    def offered(self, options: tuple[Scalar, ...], configuration: Mapping[str, Scalar]) -> Scalar:
        """The value that ``configuration`` has for this parameter.

        Raises:
            RequestError: It has none, or one that is not among ``options``.
        """
        allowed = ", ".join(map(str, options))
        if self.name not in configuration:
            raise RequestError(f"the configuration has no {self.name}; give one of {allowed}")
        wanted = configuration[self.name]
        if wanted not in options:
            raise RequestError(f"{self.name} is {wanted!r}, which the space does not offer here; give one of {allowed}")
        return options[options.index(wanted)]
