"""Numeric precision: the number format in which the artifact computes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.number_formats import NUMBER_FORMATS
from spaces.technique import Earlier, Parameter, Stage, Technique


class NumericPrecision(Technique):
    """One of `spaces.number_formats.NUMBER_FORMATS`; int8 is quantised after training (Jacob et al., 1712.05877)."""

    name = "numeric_precision"
    stage = Stage.QUANTISE
    parameters = (
        Parameter("numeric_precision", tuple(NUMBER_FORMATS), "fp32", f"one of {', '.join(NUMBER_FORMATS)}", "{}"),
    )

    def choices(self, parameter: Parameter, environment: Environment) -> tuple[Scalar, ...]:
        return tuple(name for name, number_format in NUMBER_FORMATS.items() if number_format.by_default)

    def every(self, parameter: Parameter, environment: Environment) -> tuple[Scalar, ...]:
        return parameter.choices

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        return NUMBER_FORMATS[str(value)].unsupported(environment)

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return replace(subject, precision=str(settings["numeric_precision"]))


TECHNIQUE = NumericPrecision()
