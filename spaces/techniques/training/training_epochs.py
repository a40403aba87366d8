"""Epochs of training: how long a changed network is trained."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.configuration import Scalar, is_whole_number
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.technique import Earlier, Parameter, Stage, Technique


class TrainingEpochs(Technique):
    """The epochs of the one schedule that a changed network is trained with; the teacher keeps those of its own plan.

    Early stopping compares candidates at the same number of epochs only where they train equally long.
    """

    name = "training_epochs"
    stage = Stage.TRAIN
    parameters = (
        # No candidate has 0, so a table shows every number of epochs. `neutral` below gives that of the plan.
        Parameter("training_epochs", (4, 8, 16), 0, "a whole number from 1", "epochs={}", only_where_named=True),
    )

    def choices(self, parameter: Parameter, environment: Environment) -> tuple[Scalar, ...]:
        """Half, all and twice the epochs of the workload's own plan."""
        own = environment.training_epochs
        return tuple(dict.fromkeys((max(1, own // 2), own, 2 * own)))

    def neutral(self, parameter: Parameter, environment: Environment) -> Scalar:
        return environment.training_epochs

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return is_whole_number(value) and value >= 1

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return earlier.model_changed

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return replace(subject, epochs=int(settings["training_epochs"]))


TECHNIQUE = TrainingEpochs()
