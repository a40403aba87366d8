"""Student width: the teacher's architecture with a fraction of its channels, trained from new weights."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from spaces.configuration import Scalar, is_number
from spaces.model_context import ModelContext
from spaces.technique import Parameter, Stage, Technique


class StudentWidth(Technique):
    """Width multiplier (Howard et al., arXiv 1704.04861) of every prunable layer, with new initial weights.

    The narrower network is cut from a new one of the workload by its dependency graph (Fang et al., arXiv 2301.12900),
    so the workload needs no constructor that takes a width, and the student starts as its class starts.
    """

    name = "student_width"
    stage = Stage.STUDENT
    keeps_weights = False
    needs = ("torch_pruning",)
    parameters = (
        Parameter("student_width", (1.0, 0.75, 0.5, 0.25, 0.125), 1.0, "a number above 0 and up to 1", "width={}"),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return is_number(value) and 0 < value <= 1

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        import torch

        from spaces.slimming.slim import slim

        assert context is not None
        torch.manual_seed(context.seed)
        student = context.initial()
        before = {name: parameter.shape for name, parameter in student.named_parameters()}
        slim(student, context.example, keep=float(settings["student_width"]), new=True)
        for name, parameter in student.named_parameters():
            if parameter.shape != before[name]:
                _start_anew(parameter, before[name])
        return student


def _start_anew(parameter: Any, before: Sequence[int]) -> None:
    """Let a cut parameter be trained, and give the outputs of its layer the variance that they had with all inputs.

    Initial weights have a variance in proportion to 1 / fan-in for that reason (He et al., arXiv 1502.01852).
    """
    import torch

    parameter.requires_grad_(True)
    if parameter.dim() > 1:
        with torch.no_grad():
            parameter.mul_(math.sqrt(math.prod(before[1:]) / math.prod(parameter.shape[1:])))


TECHNIQUE = StudentWidth()
