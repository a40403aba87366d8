"""The number format in which workers send gradients to each other."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.plans import COMMUNICATION
from spaces.technique import Earlier, Parameter, Stage, Technique
from spaces.techniques.training.training_strategy import strategy_of, workers_of

SENDING_GRADIENTS = ("data-parallel", "sharded", "data-tensor", "data-pipeline")
"""Strategies that average gradients over workers."""


class WorkerCommunication(Technique):
    """Half of the bytes, rounded before they are added up: the mixed precision of communication."""

    name = "worker_communication"
    stage = Stage.TRAIN
    parameters = (
        Parameter("communication", COMMUNICATION, "fp32", f"one of {', '.join(COMMUNICATION)}", only_where_named=True),
    )

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return earlier.model_changed and workers_of(earlier) > 1

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if value == "fp32" or strategy_of(earlier) in SENDING_GRADIENTS:
            return None
        if strategy_of(earlier) == "data-parallel-threads":
            return "torch.nn.DataParallel sends gradients in their own number format"
        return f"the workers of {strategy_of(earlier)} send no gradients of weights to each other"

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return replace(subject, communication=str(settings["communication"]))


TECHNIQUE = WorkerCommunication()
