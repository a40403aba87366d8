"""Data-parallel training: each batch is split over processes that average their gradients."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.configuration import Scalar, is_whole_number
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.plans import TRAINING_SPEED
from spaces.technique import Earlier, Parameter, Stage, Technique

CORES = 4
"""The number of cores from which on it is offered by default."""


class DataParallel(Technique):
    """Synchronous data parallelism over ``torch.distributed`` (Li et al., arXiv 2006.15704).

    The batch size is that of all workers together, so only the training time changes.
    """

    name = "data_parallel"
    stage = Stage.TRAIN
    parameters = (
        Parameter("training_workers", (1, 2), 1, "a whole number from 1", "workers={}", affects=TRAINING_SPEED),
    )

    def choices(self, parameter: Parameter, environment: Environment) -> tuple[Scalar, ...]:
        """One worker on few cores, which two trainings at the same time use better than two workers of one."""
        return parameter.choices if environment.cpu_cores >= CORES else (parameter.neutral,)

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return is_whole_number(value) and value >= 1

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return earlier.model_changed

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if int(value) > environment.cpu_cores:
            return f"{value} training workers need {value} cores, and there are {environment.cpu_cores}"
        if 0 < environment.accelerators < int(value):
            return f"{value} training workers need an accelerator each, and there are {environment.accelerators}"
        if environment.training_batch is not None and int(value) > environment.training_batch:
            return f"{value} training workers share a batch of {environment.training_batch}, and each needs an example"
        if environment.own_fit and int(value) > 1:
            return "the workload trains by a loop of its own (fit), which runs in one process"
        return None

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return replace(subject, workers=int(settings["training_workers"]))


TECHNIQUE = DataParallel()
