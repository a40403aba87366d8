"""A chain of stages under construction: each stage with its key, and with what it asks of the machine."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from runners.runner import StageTask
from runners.stages.keys import stage_key
from spaces.environment import Environment


@dataclass
class ChainBuilder:
    """The stages so far.

    Attributes:
        environment: The machine that runs them.
        fingerprint: A hash of the workload's data and code.
        workload: Its reference.
        seed: The study's seed.
        configuration: The candidate, as JSON.
        tasks: The stages in their order.
    """

    environment: Environment
    fingerprint: str
    workload: Any
    seed: int
    configuration: str
    tasks: list[StageTask] = field(default_factory=list)

    def add(
        self,
        stage: str,
        settings: Mapping[str, Any],
        inputs: Mapping[str, str] | None = None,
        *,
        exclusive: bool = False,
        workers: int = 1,
    ) -> str:
        """Append a stage and return its key.

        Args:
            stage: The module that does it.
            settings: What it is to do.
            inputs: Keys of the stages that it reads, by role.
            exclusive: Whether it must have the machine to itself.
            workers: Processes that train, or threads of an artifact that is evaluated.
        """
        task = StageTask(
            stage=stage,
            key="",
            settings=dict(settings),
            inputs=dict(inputs or {}),
            workload=self.workload,
            seed=self.seed,
            cpus=self._cpus(stage, exclusive, workers),
            gpus=self._gpus(stage, exclusive, workers),
            exclusive=exclusive,
            configuration=self.configuration,
        )
        task = replace(task, key=stage_key(task, self.fingerprint))
        self.tasks.append(task)
        return task.key

    def _cpus(self, stage: str, exclusive: bool, workers: int) -> int:
        cores = self.environment.cpu_cores
        if exclusive or stage == "teacher":
            return cores
        # Small networks gain little from more than a few cores for one training process.
        cores_per_worker = max(1, cores // 4) if stage == "training" else 1
        return min(cores, workers * cores_per_worker)

    def _gpus(self, stage: str, exclusive: bool, workers: int) -> int:
        if not self.environment.accelerators:
            return 0
        return workers if stage in ("teacher", "training") else int(exclusive or stage == "measuring")
