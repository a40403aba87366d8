"""Compile mode: how much PyTorch's compiler tries while it compiles."""

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.runtime_option import RuntimeOption
from spaces.technique import Earlier, Parameter


class CompileMode(RuntimeOption):
    """The ``mode`` of ``torch.compile``: max-autotune times several kernels for each operator and takes the fastest;
    reduce-overhead launches all kernels of a call at once, as a CUDA graph. Other compilers have the same by their own
    names.
    """

    name = "compile_mode"
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

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if value == "reduce-overhead" and environment.accelerator != "cuda":
            return "reduce-overhead uses CUDA graphs, and changes nothing without an NVIDIA GPU"
        return None


TECHNIQUE = CompileMode()
