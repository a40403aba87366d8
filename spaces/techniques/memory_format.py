"""Memory format: in which order the values of an image lie in memory."""

from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.technique import Earlier, ModelContext, Parameter, Stage, Technique


class MemoryFormat(Technique):
    """Weights and activations of convolutions with the channels of a pixel side by side, as many kernels read them."""

    name = "memory_format"
    stage = Stage.OPTIONS
    parameters = (
        Parameter(
            "memory_format",
            ("contiguous", "channels_last"),
            "contiguous",
            "one of contiguous, channels_last",
            "{}",
            only_where_named=True,
        ),
    )

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return environment.takes("memory_format", earlier.choices.get("runtime", "eager"))

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return subject.with_options(**settings)


TECHNIQUE = MemoryFormat()
