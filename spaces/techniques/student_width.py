"""Student width: the teacher's architecture with a fraction of its channels, trained from new weights."""

from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar
from spaces.technique import ModelContext, Parameter, Stage, Technique


class StudentWidth(Technique):
    """Width multiplier (Howard et al., arXiv 1704.04861) of every prunable layer, with new initial weights.

    The narrower network is made from the teacher by its dependency graph (Fang et al., arXiv 2301.12900), so the
    workload needs no constructor that takes a width.
    """

    name = "student_width"
    stage = Stage.STUDENT
    needs = ("torch_pruning",)
    parameters = (
        Parameter("student_width", (1.0, 0.75, 0.5, 0.25, 0.125), 1.0, "a number above 0 and up to 1", "width={}"),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        import torch

        from spaces.slimming import slim

        assert context is not None
        torch.manual_seed(context.seed)
        slim(subject, context.example, keep=float(settings["student_width"]), criterion="random")
        for module in subject.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        return subject


TECHNIQUE = StudentWidth()
