"""A setting of inference runtimes, drawn after those alone that take it."""

from collections.abc import Mapping
from typing import Any, ClassVar

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.technique import Earlier, Parameter, Stage, Technique


class RuntimeOption(Technique):
    """A technique whose parameters are settings by the names that runtimes have for them, see `BackendFacts.takes`.

    What is neutral is the runtime's default, and is left out.
    """

    stage: ClassVar[Stage] = Stage.OPTIONS

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return environment.takes(parameter.name, earlier.choices.get("runtime", "eager"))

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        neutral = {parameter.name: parameter.neutral for parameter in self.parameters}
        return subject.with_options(**{name: value for name, value in settings.items() if value != neutral[name]})
