"""How a batch goes through a pipeline of workers: in how many parts, and in which order."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.configuration import Scalar, is_whole_number
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.plans import PIPELINE_SCHEDULES, PIPELINES, TRAINING_SPEED
from spaces.technique import Earlier, Parameter, Stage, Technique
from spaces.techniques.training.training_strategy import strategy_of, workers_of


class WorkerPipeline(Technique):
    """More micro-batches leave workers idle for less of the time, and each is computed less efficiently."""

    name = "worker_pipeline"
    stage = Stage.TRAIN
    parameters = (
        Parameter(
            "micro_batches",
            (4, 2, 8),
            4,
            "a whole number from 2",
            "micro={}",
            affects=TRAINING_SPEED,
            only_where_named=True,
        ),
        Parameter(
            "pipeline_schedule",
            PIPELINE_SCHEDULES,
            "1f1b",
            f"one of {', '.join(PIPELINE_SCHEDULES)}",
            "{}",
            affects=TRAINING_SPEED,
            only_where_named=True,
        ),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        if parameter.name == "micro_batches":
            return is_whole_number(value) and value >= 2
        return value in parameter.choices

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return earlier.model_changed and workers_of(earlier) > 1 and strategy_of(earlier) in PIPELINES

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return replace(subject, **settings)


TECHNIQUE = WorkerPipeline()
