"""How several workers share the training of a network."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.plans import (
    PIPELINES,
    SHARING_A_NETWORK,
    SOFT_TARGETS,
    TRAINING_SPEED,
    TRAINING_STRATEGIES,
    TrainingPlan,
)
from spaces.technique import Earlier, Parameter, Stage, Technique

GROUPED = {"data-tensor": 2 * SHARING_A_NETWORK, "data-pipeline": 2 * SHARING_A_NETWORK}
"""The strategies of groups of workers, with the fewest workers of each."""


class TrainingStrategy(Technique):
    """A file of ``runners/training/strategies``, drawn where several workers train.

    Every strategy trains to the same loss as one process, so only the training time and the memory change.
    """

    name = "training_strategy"
    stage = Stage.TRAIN
    parameters = (
        Parameter(
            "training_strategy",
            TRAINING_STRATEGIES,
            TrainingPlan.strategy,
            f"one of {', '.join(TRAINING_STRATEGIES)}",
            "{}",
            affects=TRAINING_SPEED,
            only_where_named=True,
        ),
    )

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return earlier.model_changed and workers_of(earlier) > 1

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        workers, strategy = workers_of(earlier), str(value)
        least = GROUPED.get(strategy, 1)
        if workers > 1 and (workers < least or workers % (least // 2 or 1)):
            return f"it divides the workers into pairs, two pairs at least, and training_workers is {workers}"
        if strategy == "data-parallel-threads" and environment.accelerators < max(2, workers):
            return (
                "torch.nn.DataParallel divides a batch among several accelerators of one process, and this machine has "
                f"{environment.accelerators}"
            )
        return self._against_pipelines(earlier) if strategy in PIPELINES else None

    def _against_pipelines(self, earlier: Earlier) -> str | None:
        choices = earlier.choices
        if choices.get("accumulation", 1) != 1:
            return "a pipeline computes a batch in micro-batches already, and gradients are accumulated over them"
        if choices.get("trainable", 1.0) != 1:
            return "a stage of a pipeline passes gradients through all of its weights, and trainable freezes some"
        if choices.get("distillation_method", SOFT_TARGETS) != SOFT_TARGETS:
            return "the layers that are compared lie on several workers"
        return None

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return replace(subject, strategy=str(settings["training_strategy"]))


def workers_of(earlier: Earlier) -> int:
    """How many workers were chosen to train."""
    return int(earlier.choices.get("training_workers", 1))


def strategy_of(earlier: Earlier) -> str:
    """The strategy that was chosen."""
    return str(earlier.choices.get("training_strategy", TrainingPlan.strategy))


TECHNIQUE = TrainingStrategy()
