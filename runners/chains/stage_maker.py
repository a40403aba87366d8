"""What every stage of a candidate is made with: the choices, the plans that they set, and the key."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from runners.machine.resources import cpus_of, gpus_of
from runners.runner import StageTask, WorkloadFacts
from runners.stage_keys import code_of, stage_key
from spaces.configuration import Configuration, Scalar
from spaces.plans import LoweringPlan, ServingPlan, TrainingPlan
from spaces.search_space import SearchSpace
from spaces.technique import Stage, Technique

Plan = TypeVar("Plan", TrainingPlan, LoweringPlan, ServingPlan)


@dataclass(frozen=True)
class StageMaker:
    """Makes stages of the candidates of one study, each named by its key.

    Attributes:
        space: The techniques and the machine.
        facts: What is known of the workload.
        workload: Its reference.
        seed: The study's seed.
        rungs: Gives the epochs at which the levels of a training of that many epochs end: rising, the last one
            being all of them, such as ``(1, 3, 8)`` for 8.
    """

    space: SearchSpace
    facts: WorkloadFacts
    workload: Any
    seed: int
    rungs: Callable[[int], tuple[int, ...]] = lambda epochs: (epochs,)

    def plan(self, configuration: Configuration, stages: tuple[Stage, ...], plan: Plan) -> Plan:
        """``plan`` as the techniques of ``stages`` set it; a choice wins over what the workload's own plan says."""
        for technique in self.space.techniques:
            choices = self.space.choices_of(technique, configuration)
            if technique.stage in stages and choices and not technique.changes_network:
                neutral = self.space.neutral_of(technique, configuration)
                before, plan = technique.apply(plan, neutral, None), technique.apply(plan, choices, None)
                assert choices == neutral or plan != before, f"{technique.name} changed nothing with {choices}"
        return plan

    def task(
        self,
        stage: str,
        configuration: Configuration,
        settings: Mapping[str, Any],
        inputs: Mapping[str, str],
        *,
        exclusive: bool = False,
        workers: int = 1,
    ) -> StageTask:
        """A stage with its key and with what it asks of the machine; ``workers`` are the processes that train, or the
        threads of an artifact that is evaluated.
        """
        machine = self.space.environment
        task = StageTask(
            stage=stage,
            key="",
            settings=settings,
            inputs=inputs,
            workload=self.workload,
            seed=self.seed,
            cpus=cpus_of(stage, machine, exclusive=exclusive, workers=workers),
            gpus=gpus_of(stage, machine, exclusive=exclusive, workers=workers),
            exclusive=exclusive,
            configuration=configuration.canonical(),
        )
        return replace(task, key=stage_key(task, self.facts.fingerprint), code=code_of(task))

    def chosen(self, configuration: Configuration) -> Iterator[tuple[Technique, dict[str, Scalar]]]:
        """The techniques that ``configuration`` makes use of, with what they are set to."""
        for technique in self.space.techniques:
            if settings := self.space.settings_of(technique, configuration):
                yield technique, settings
