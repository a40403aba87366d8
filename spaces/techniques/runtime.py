"""The inference runtime that the artifact is lowered to."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.configuration import Scalar
from spaces.environment import BackendFacts, Environment
from spaces.model_context import ModelContext
from spaces.number_formats import NUMBER_FORMATS
from spaces.technique import Earlier, Parameter, Stage, Technique


class Runtime(Technique):
    """One of the backends of the machine that measures; each supports some precisions."""

    name = "runtime"
    stage = Stage.LOWER
    parameters = (Parameter("runtime", ("eager",), "eager", "the name of a backend (see frontrunner doctor)", "{}"),)

    def choices(self, parameter: Parameter, environment: Environment) -> tuple[Scalar, ...]:
        return tuple(name for name, facts in environment.backends.items() if facts.by_default)

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return isinstance(value, str)

    def known_here(self, parameter: Parameter, value: Scalar, environment: Environment) -> bool:
        return value in environment.backends

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        backend = environment.backends.get(str(value), BackendFacts((), f"there is no backend {value!r}"))
        precision = NUMBER_FORMATS[str(earlier.choices.get("numeric_precision", "fp32"))]
        reason = backend.unsupported or precision.unsupported_in(str(value), environment)
        if reason is None and backend.quantises and earlier.choices.get("quantisation_aware_epochs", 0):
            return f"{value} quantises a network itself, and takes none that was trained with its quantisers"
        if reason is None and earlier.skips_layers and not backend.skips_layers:
            because = backend.runs_all_because or "its format has no branches that it is known to take"
            return f"{value} computes every layer for every input, so that an early exit saves nothing: {because}"
        return reason

    def every(self, parameter: Parameter, environment: Environment) -> tuple[Scalar, ...]:
        return tuple(environment.backends)

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return replace(subject, runtime=str(settings["runtime"]))


TECHNIQUE = Runtime()
