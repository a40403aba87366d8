"""The stages that build a candidate: changes of the network and trainings, and from there to the artifact."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from runners.backends import find_backend
from runners.machine.resources import cpus_of, gpus_of
from runners.runner import StageTask, WorkloadFacts
from runners.stages.keys import code_of, stage_key
from runners.training.settings import Level, TrainingSettings
from spaces.configuration import Configuration, Scalar
from spaces.number_formats import NUMBER_FORMATS
from spaces.plans import LoweringPlan, ServingPlan, TrainingPlan
from spaces.search_space import SearchSpace
from spaces.technique import Change, Stage, Technique

Plan = TypeVar("Plan", TrainingPlan, LoweringPlan, ServingPlan)

SCREENING_IMAGES = 16
"""Images on which an untrained network is calibrated: other ranges do not make int8 faster or slower."""


def quantising_settings(plan: LoweringPlan) -> dict[str, Scalar]:
    """What the stage ``quantising`` is told: the format, the defaults of the runtime and what was chosen."""
    return {"precision": plan.precision, **find_backend(plan.runtime).quantisation, **plan.quantisation}


@dataclass(frozen=True)
class CandidateStages:
    """Makes the stages that build the candidates of one study, each named by its key.

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
    rungs: Callable[[int], tuple[int, ...]]

    def teacher(self, configuration: Configuration) -> StageTask:
        """The first stage of every chain: the workload's network with its weights."""
        plan = {} if self.facts.pretrained else self._training_settings(self._given_plan()).to_json()
        return self.task("teacher", configuration, {"plan": plan, "pretrained": self.facts.pretrained}, {})

    def network(self, configuration: Configuration) -> tuple[StageTask, ...]:
        """From the teacher to the trained network: the changes before its training, that training, and those after it.

        It is the teacher alone where nothing changes the network.
        """
        tasks = [self.teacher(configuration)]
        before, after = self._changing(configuration)
        self._add_steps(tasks, configuration, before)
        if before:
            self._add_levels(tasks, configuration)
        self._add_steps(tasks, configuration, after)
        return tuple(tasks)

    def untrained(self, configuration: Configuration) -> tuple[StageTask, ...]:
        """The stages of `network` without those that train, and one that prepares what is left for timing.

        It is empty where nothing would be saved: nothing is trained, or a technique's speed depends on the trained
        weights.
        """
        before, after = self._changing(configuration)
        if not (before or after) or any(t.speed_depends_on_weights for t, _ in self._chosen(configuration)):
            return ()
        tasks = [self.teacher(configuration)]
        self._add_steps(tasks, configuration, (*before, *after), trained=False)
        return (*tasks, self.task("settling", configuration, {}, {"parent": tasks[-1].key}))

    def lowering(self, configuration: Configuration, parent: StageTask) -> tuple[StageTask, ...]:
        """The stages from the weights that ``parent`` wrote to the artifact."""
        plan = self.lowering_plan(configuration)
        calibration = {"images": SCREENING_IMAGES} if parent.stage == "settling" else {}
        quantising: tuple[StageTask, ...] = ()
        if NUMBER_FORMATS[plan.precision].quantised:
            settings = {**quantising_settings(plan), **calibration}
            parent = self.task("quantising", configuration, settings, {"parent": parent.key})
            quantising = (parent,)
        return (*quantising, self.artifact(configuration, {"parent": parent.key}))

    def lowering_plan(self, configuration: Configuration) -> LoweringPlan:
        """The runtime and the number format of ``configuration``, with the settings of both."""
        return self.plan(configuration, (Stage.QUANTISE, Stage.LOWER, Stage.OPTIONS), LoweringPlan())

    def artifact(self, configuration: Configuration, inputs: Mapping[str, str]) -> StageTask:
        """The stage that lowers what ``inputs`` name; its settings name the machine where the artifact is for it."""
        plan, machine = self.lowering_plan(configuration), self.space.environment
        on = {"device": machine.device, "cpu_flags": list(machine.cpu_flags)}
        chosen = {name: value for name, value in asdict(plan).items() if name != "quantisation"}
        settings = {**chosen, **(on if find_backend(plan.runtime).for_this_machine else {})}
        return self.task("lowering", configuration, settings, inputs)

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

    def _add_steps(
        self,
        tasks: list[StageTask],
        configuration: Configuration,
        changing: tuple[tuple[Technique, dict[str, Scalar]], ...],
        *,
        trained: bool = True,
    ) -> None:
        """The steps of the techniques in ``changing``; without those that train where not ``trained``."""
        for technique, settings in changing:
            for step in technique.steps(settings):
                if isinstance(step, Change):
                    changes = {"technique": technique.name, **step.settings}
                    tasks.append(self.task("transforming", configuration, changes, {"parent": tasks[-1].key}))
                elif trained:
                    plan = replace(self._training_plan(configuration), epochs=step.epochs)
                    tasks.append(self._level(tasks, configuration, "fine_tuning", plan, range(plan.epochs)))

    def _add_levels(self, tasks: list[StageTask], configuration: Configuration) -> None:
        """A training for each level; the settings of each hold the whole plan, as the schedule spans all levels."""
        plan = self._training_plan(configuration)
        ends = self.rungs(plan.epochs) if self.facts.trains_in_levels else (plan.epochs,)
        begins = (0, *ends[:-1])
        assert ends[-1] == plan.epochs, f"the levels {ends} do not end with epoch {plan.epochs}"
        assert all(begin < end for begin, end in zip(begins, ends, strict=True)), f"the levels {ends} do not rise"
        for begin, end in zip(begins, ends, strict=True):
            tasks.append(self._level(tasks, configuration, "training", plan, range(begin, end)))

    def _level(
        self, tasks: list[StageTask], configuration: Configuration, stage: str, plan: TrainingPlan, epochs: range
    ) -> StageTask:
        """A training of what the last of ``tasks`` wrote, with the first one as its teacher."""
        level = Level(self._training_settings(plan), epochs, self.seed).to_json()
        inputs = {"parent": tasks[-1].key, "teacher": tasks[0].key}
        return self.task(stage, configuration, level, inputs, workers=plan.workers)

    def _training_plan(self, configuration: Configuration) -> TrainingPlan:
        return self.plan(configuration, (Stage.TRAIN,), self._given_plan())

    def _given_plan(self) -> TrainingPlan:
        return TrainingPlan(**self.facts.training)

    def _training_settings(self, plan: TrainingPlan) -> TrainingSettings:
        return TrainingSettings.on(self.space.environment, plan)

    def _changing(
        self, configuration: Configuration
    ) -> tuple[tuple[tuple[Technique, dict[str, Scalar]], ...], tuple[tuple[Technique, dict[str, Scalar]], ...]]:
        """The techniques that change the network before its training, and those that do after it."""
        changing = [(t, settings) for t, settings in self._chosen(configuration) if t.changes_network]
        before = tuple((t, settings) for t, settings in changing if t.stage < Stage.TRAIN)
        return before, tuple((t, settings) for t, settings in changing if t.stage > Stage.TRAIN)

    def _chosen(self, configuration: Configuration) -> Iterator[tuple[Technique, dict[str, Scalar]]]:
        """The techniques that ``configuration`` makes use of, with what they are set to."""
        for technique in self.space.techniques:
            if settings := self.space.settings_of(technique, configuration):
                yield technique, settings
