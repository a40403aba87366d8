"""The learning rate with which a changed network is trained."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.configuration import Scalar, is_number
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.technique import Earlier, Parameter, Stage, Technique

FACTOR = 3.0
"""The values offered by default lie this factor apart: half a decade, about."""


class LearningRate(Technique):
    """The peak of the schedule; narrower and pruned networks can need another one than their teacher."""

    name = "learning_rate"
    stage = Stage.TRAIN
    parameters = (
        # No candidate has 0, so a table shows every learning rate. `neutral` below gives that of the plan.
        Parameter(
            "learning_rate", (0.1, 0.2, 0.4), 0.0, "a number above 0 and up to 10", "lr={}", only_where_named=True
        ),
    )

    def choices(self, parameter: Parameter, environment: Environment) -> tuple[Scalar, ...]:
        """A third of the learning rate of the workload's own plan, that rate, and three times it."""
        own = environment.learning_rate
        return tuple(float(f"{own * factor:.4g}") for factor in (1 / FACTOR, 1.0, FACTOR))

    def neutral(self, parameter: Parameter, environment: Environment) -> Scalar:
        return environment.learning_rate

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return is_number(value) and 0 < value <= 10

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return earlier.model_changed

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return replace(subject, learning_rate=float(settings["learning_rate"]))


TECHNIQUE = LearningRate()
