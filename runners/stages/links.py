"""A chain of stages under construction: each link with its key, and with what it asks of the machine."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from runners.runner import StageTask
from runners.stages.keys import stage_key
from spaces.environment import Environment


@dataclass
class Links:
    """The links so far.

    Attributes:
        environment: The machine that carries them out.
        fingerprint: A hash of the workload's data and code.
        workload: Its reference.
        seed: The study's seed.
        configuration: The candidate, as JSON.
        tasks: The links in their order.
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
        alone: bool = False,
        workers: int = 1,
    ) -> str:
        """Append a stage and return its key.

        Args:
            stage: The module that does it.
            settings: What it is to do.
            inputs: Keys of the stages that it reads, by role.
            alone: Whether it must have the machine to itself.
            workers: Processes that train, or threads of an artifact that is judged.
        """
        task = StageTask(
            stage=stage,
            key="",
            settings=dict(settings),
            inputs=dict(inputs or {}),
            workload=self.workload,
            seed=self.seed,
            cpus=self._cpus(stage, alone, workers),
            gpus=self._gpus(stage, alone, workers),
            exclusive=alone,
            configuration=self.configuration,
        )
        task = replace(task, key=stage_key(task, self.fingerprint))
        self.tasks.append(task)
        return task.key

    def _cpus(self, stage: str, alone: bool, workers: int) -> int:
        cores = self.environment.cpu_cores
        if alone or stage == "teacher":
            return cores
        return min(cores, workers * cores_per_worker(cores) if stage == "training" else workers)

    def _gpus(self, stage: str, alone: bool, workers: int) -> int:
        if not self.environment.accelerators:
            return 0
        return workers if stage in ("teacher", "training") else int(alone or stage == "measuring")


def cores_per_worker(cores: int) -> int:
    """Cores for one training process: small networks gain little from more than a few."""
    return max(1, cores // 4)
