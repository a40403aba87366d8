"""Compile mode: how much PyTorch's compiler tries while it compiles."""

from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.technique import Earlier, ModelContext, Parameter, Stage, Technique


class CompileMode(Technique):
    """The ``mode`` of ``torch.compile``: max-autotune times several kernels for each operator and takes the fastest;
    reduce-overhead launches all kernels of a call at once, as a CUDA graph.
    """

    name = "compile_mode"
    stage = Stage.OPTIONS
    parameters = (
        Parameter(
            "compile_mode",
            ("default", "max-autotune", "reduce-overhead"),
            "default",
            "one of default, max-autotune, reduce-overhead",
            "mode={}",
            only_where_named=True,
        ),
    )

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return environment.takes("compile_mode", earlier.choices.get("runtime", "eager"))

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if value == "reduce-overhead" and environment.accelerator != "cuda":
            return "reduce-overhead uses CUDA graphs, and changes nothing without an NVIDIA GPU"
        return None

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return subject.with_options(**settings)


TECHNIQUE = CompileMode()
