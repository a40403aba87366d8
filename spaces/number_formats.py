"""The number formats in which an artifact can compute, and what each needs of a machine."""

from collections.abc import Callable
from dataclasses import dataclass

from spaces.environment import Environment


def _nothing(environment: Environment) -> str | None:
    return None


@dataclass(frozen=True)
class NumberFormat:
    """One number format; which runtimes run it is said by the backends.

    Attributes:
        name: As it is written in a space.
        unsupported: Why a machine cannot run it, or None.
        quantised: Whether the ONNX file is quantised to it after training, by the stage ``quantising``.
    """

    name: str
    unsupported: Callable[[Environment], str | None] = _nothing
    quantised: bool = False


def _bf16(environment: Environment) -> str | None:
    has_it = {"avx512_bf16", "amx_bf16", "bf16"} & set(environment.cpu_flags)
    return None if has_it else "this CPU has no bf16 instructions and would emulate them"


def _needs_nncf(environment: Environment) -> str | None:
    return environment.missing.get("nncf")


NUMBER_FORMATS = {
    each.name: each
    for each in (
        NumberFormat("fp32"),
        NumberFormat("bf16", _bf16),
        NumberFormat("int8", _needs_nncf, quantised=True),
    )
}
"""All formats by name, a row each; the first is that of the teacher."""
