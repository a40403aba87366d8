"""Which statistics batch normalisation uses where workers share a batch."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.technique import Earlier, Parameter, Stage, Technique
from spaces.techniques.training.training_strategy import strategy_of, workers_of

SHARING_BATCHES = ("data-parallel", "sharded", "data-tensor")
"""Strategies whose workers share a batch and take networks with batch normalisation."""


class WorkerBatchNorm(Technique):
    """Those of the whole batch, as one process has them, or those of each worker's own examples, which is faster."""

    name = "worker_batch_norm"
    stage = Stage.TRAIN
    parameters = (
        Parameter("sync_batch_norm", (True, False), True, "true or false", "sync norms={}", only_where_named=True),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return isinstance(value, bool)

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return earlier.model_changed and workers_of(earlier) > 1 and strategy_of(earlier) in SHARING_BATCHES

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return replace(subject, sync_batch_norm=bool(settings["sync_batch_norm"]))


TECHNIQUE = WorkerBatchNorm()
