"""Numeric precision: the number format in which the artifact computes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.technique import Earlier, ModelContext, Parameter, Stage, Technique

BF16_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")


class NumericPrecision(Technique):
    """fp32, bf16, or int8 by post-training quantisation with calibration data (Jacob et al., arXiv 1712.05877)."""

    name = "numeric_precision"
    stage = Stage.QUANTISE
    parameters = (Parameter("numeric_precision", ("fp32", "bf16", "int8"), "fp32", "fp32, bf16 or int8", "{}"),)

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if value == "bf16" and not set(BF16_FLAGS) & set(environment.cpu_flags):
            return "this CPU has no bf16 instructions and would emulate them"
        if value == "int8" and "nncf" in environment.missing:
            return environment.missing["nncf"]
        return None

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return replace(subject, precision=str(settings["numeric_precision"]))


TECHNIQUE = NumericPrecision()
