"""The number formats in which an artifact can compute, and what each needs of a machine."""

from collections.abc import Callable
from dataclasses import dataclass

from spaces.environment import BackendFacts, Environment

Reason = Callable[[Environment], str | None]
"""Why a machine cannot run something, or None."""
NNCF = "nncf"
"""The tool of a runtime that names no other."""


def _nothing(environment: Environment) -> str | None:
    return None


@dataclass(frozen=True)
class NumberFormat:
    """One number format; which runtimes run it is said by the backends.

    Attributes:
        name: As it is written in a space.
        on_processor: Why the processor of a machine cannot run it, or None.
        on_accelerator: Why the accelerator of a machine that has one cannot run it, or None.
        quantised: Whether the ONNX file is quantised to it after training, by the stage ``quantising``.
        by_tool: Whether it is written by the tool of the runtime, `BackendFacts.quantiser`, which may be missing.
        by_default: Whether a space that offers ``all`` formats offers it.
    """

    name: str
    on_processor: Reason = _nothing
    on_accelerator: Reason = _nothing
    quantised: bool = False
    by_tool: bool = False
    by_default: bool = True

    def unsupported(self, environment: Environment) -> str | None:
        """Why neither the processor nor an accelerator of a machine runs it, or no runtime has its tool, or None."""
        missing = [
            self._missing_tool(facts, environment)
            for facts in environment.backends.values()
            if self.name in facts.precisions and not facts.unsupported
        ]
        if missing and all(missing):
            return missing[0]
        if environment.accelerators and self.on_accelerator(environment) is None:
            return None
        reason = self.on_processor(environment)
        return self.on_accelerator(environment) if reason and environment.accelerators else reason

    def unsupported_in(self, runtime: str, environment: Environment) -> str | None:
        """Why ``runtime`` does not run it where it computes on a machine, or None."""
        facts = environment.backends[runtime]
        if self.name not in facts.precisions:
            known = facts.lacks.get(self.name)
            return f"{runtime} does not support {self.name} here{f': {known}' if known else ''}"
        if missing := self._missing_tool(facts, environment):
            return f"{self.name} for {runtime} {missing}"
        reason = self.on_accelerator(environment) if facts.on_accelerator else self.on_processor(environment)
        where = "accelerator" if facts.on_accelerator else "processor"
        return f"{runtime} computes {self.name} on the {where}, and {reason}" if reason else None

    def _missing_tool(self, facts: BackendFacts, environment: Environment) -> str | None:
        """How to install the tool of a runtime that writes this format, or None where it is here or none is needed."""
        own = facts.quantises or not self.by_tool
        return None if own else environment.missing.get(facts.quantiser or NNCF)


def _bf16(environment: Environment) -> str | None:
    has_it = {"avx512_bf16", "amx_bf16", "bf16"} & set(environment.cpu_flags)
    return None if has_it else "this CPU has no bf16 instructions and would emulate them"


def _bf16_on_accelerator(environment: Environment) -> str | None:
    return None if environment.accelerator_bf16 else "this accelerator has no bf16 instructions"


def _fp16(environment: Environment) -> str | None:
    has_it = {"avx512_fp16", "amx_fp16", "asimdhp"} & set(environment.cpu_flags)
    return None if has_it else "this CPU has no fp16 instructions and would emulate them"


def _fp16_on_accelerator(environment: Environment) -> str | None:
    has_it = environment.accelerator in ("cuda", "xpu", "mps")
    return None if has_it else f"nothing is known of fp16 on an accelerator of the kind {environment.accelerator}"


def _gpu(least: tuple[int, int], what: str) -> tuple[Reason, Reason]:
    """The reasons of processors and of accelerators for what NVIDIA GPUs alone do, from the capability ``least`` on."""
    needs = f"needs an NVIDIA GPU of compute capability {least[0]}.{least[1]} or higher, which {what}"
    return lambda environment: needs, lambda environment: None if environment.accelerator_capability >= least else needs


_NO_TF32, _TF32_ON_GPU = _gpu((8, 0), "rounds products to TF32")


def _tf32(environment: Environment) -> str | None:
    if environment.baseline_tuned:
        return "the baseline is fastest with TF32, so fp32 is computed with it already"
    return _TF32_ON_GPU(environment)


NUMBER_FORMATS = {
    each.name: each
    for each in (
        NumberFormat("fp32"),
        NumberFormat("tf32", _NO_TF32, _tf32, by_default=False),
        NumberFormat("bf16", _bf16, _bf16_on_accelerator),
        NumberFormat("fp16", _fp16, _fp16_on_accelerator, by_default=False),
        NumberFormat("int8", quantised=True, by_tool=True),
        NumberFormat("int8_weight_only", by_tool=True, by_default=False),
        NumberFormat("int4_weight_only", by_tool=True, by_default=False),
        NumberFormat("fp8", *_gpu((8, 9), "multiplies fp8"), by_default=False),
        NumberFormat("nvfp4", *_gpu((10, 0), "multiplies nvfp4"), by_default=False),
    )
}
"""All formats by name, a row each; the first is that of the teacher."""
