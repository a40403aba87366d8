"""Gradient accumulation: each batch is computed in parts, whose gradients are added before a step."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.configuration import Scalar, is_whole_number
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.plans import TRAINING_SPEED
from spaces.technique import Earlier, Parameter, Stage, Technique

QUANTITIES = ("accuracy", "accuracy_drop", "accuracy_drop_share", *TRAINING_SPEED)


class GradientAccumulation(Technique):
    """Less memory for the same step, but for batch normalisation, which sees a part at a time."""

    name = "gradient_accumulation"
    stage = Stage.TRAIN
    parameters = (
        Parameter(
            "accumulation", (1, 2, 4), 1, "a whole number from 1", "parts={}", affects=QUANTITIES, only_where_named=True
        ),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return is_whole_number(value) and value >= 1

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return earlier.model_changed

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if environment.own_fit and int(value) > 1:
            return "the workload trains by a loop of its own (fit), which decides on its batches"
        if environment.training_batch is not None and int(value) > environment.training_batch:
            return f"a batch of {environment.training_batch} has fewer examples than {value} parts"
        return None

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return replace(subject, accumulation=int(settings["accumulation"]))


TECHNIQUE = GradientAccumulation()
