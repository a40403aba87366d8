"""Knowledge distillation: a changed network is also trained on the teacher's soft targets."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.configuration import Scalar, is_number
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.technique import Earlier, Parameter, Stage, Technique


class Distillation(Technique):
    """A weighted loss on labels and on soft targets at a temperature (Hinton et al., arXiv 1503.02531).

    It is computed in ``runners/training/loss.py``.
    """

    name = "distillation"
    stage = Stage.TRAIN
    parameters = (
        Parameter(
            "distillation_weight", (0.0, 0.5, 0.7, 0.9), 0.0, "the share of the loss, from 0 to 1", "distilled={}"
        ),
        Parameter("distillation_temperature", (1.0, 2.0, 4.0, 8.0), 1.0, "a number from 1 to 100", "T={}"),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        low, high = (0, 1) if parameter.name == "distillation_weight" else (1, 100)
        return is_number(value) and low <= value <= high

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        if parameter.name == "distillation_weight":
            return earlier.model_changed
        distilled = earlier.model_changed and earlier.choices.get("distillation_weight", 0.0) != 0.0
        return distilled and not environment.own_loss

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if (
            parameter.name == "distillation_weight"
            and value
            and environment.own_fit
            and not environment.fit_takes_teacher
        ):
            return "the loop of the workload (fit) has no fourth argument, which would be the teacher"
        return None

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return replace(subject, **{name: float(value) for name, value in settings.items()})


TECHNIQUE = Distillation()
