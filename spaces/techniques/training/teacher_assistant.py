"""A teacher assistant: a network of a width between, which learns from the teacher and teaches the student."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.configuration import Scalar, is_number
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.plans import SOFT_TARGETS
from spaces.technique import Earlier, Parameter, Stage, Technique
from spaces.techniques.architecture.student import TEACHER


class TeacherAssistant(Technique):
    """Distillation in two steps, where a student is much smaller than its teacher (Mirzadeh et al., arXiv 1902.03393).

    The assistant is made as `student_width` makes a student, and trained by `TrainingPlan.for_assistant`, so that all
    candidates share it. Its stages are added in ``runners/chains/network_stages.py``.
    """

    name = "teacher_assistant"
    stage = Stage.TRAIN
    needs = ("torch_pruning",)
    parameters = (
        Parameter(
            "distillation_assistant",
            (0.0, 0.75, 0.5),
            0.0,
            "0 for none, or a width above 0 and below 1, that of the teacher",
            "assistant={}",
            only_where_named=True,
        ),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return is_number(value) and 0 <= value < 1

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        soft = earlier.choices.get("distillation_weight", 0.0) != 0.0
        return earlier.model_changed and (
            soft or earlier.choices.get("distillation_method", SOFT_TARGETS) != SOFT_TARGETS
        )

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        student = _width(earlier.choices)
        if value and float(value) <= student:
            return f"the assistant of width {value} is not wider than the student, whose width is {student:.3g}"
        return None

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return replace(subject, distillation_assistant=float(settings["distillation_assistant"]))


def _width(choices: Mapping[str, Scalar]) -> float:
    """The share of the teacher's channels that a student has, after pruning; 0 where it is of another family."""
    if choices.get("student", TEACHER) != TEACHER:
        return 0.0
    kept = 1.0 - float(choices.get("channel_pruning", 0.0))
    return float(choices.get("student_width", 1.0)) * kept


TECHNIQUE = TeacherAssistant()
