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
from spaces.plans import SOFT_TARGETS, LoweringPlan, ServingPlan, TrainingPlan
from spaces.search_space import SearchSpace
from spaces.technique import Change, Rewind, Stage, Technique, Train

Plan = TypeVar("Plan", TrainingPlan, LoweringPlan, ServingPlan)

SCREENING_IMAGES = 16
"""Images on which an untrained network is calibrated: other ranges do not make int8 faster or slower."""


def reads_quantised(plan: LoweringPlan) -> bool:
    """Whether the runtime of ``plan`` is given an ONNX file that was quantised before."""
    return NUMBER_FORMATS[plan.precision].quantised and not find_backend(plan.runtime).quantises


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

        It is the teacher alone where nothing changes the network. Where an assistant teaches it, the stages of that
        come behind the teacher.
        """
        teacher, plan = self.teacher(configuration), self._training_plan(configuration)
        before, after = self._changing(configuration)
        assistant = self._assistant(configuration, teacher, plan.distillation_assistant) if before else ()
        teaches = (teacher, *assistant)[-1]
        tasks = [teacher]
        student = tuple((technique, own) for technique, own in before if technique.stage is Stage.STUDENT)
        self._add_steps(tasks, configuration, student, teaches)
        if plan.train_before_pruning and student and before != student:
            tasks.append(self._fine_tuning(tasks[-1], teaches, configuration, Train(plan.epochs), plan))
        self._add_steps(tasks, configuration, before[len(student) :], teaches)
        if before:
            self._add_levels(tasks, configuration, teaches)
        self._add_steps(tasks, configuration, after, teaches)
        return (teacher, *assistant, *tasks[1:])

    def untrained(self, configuration: Configuration) -> tuple[StageTask, ...]:
        """The stages of `network` without those that train, and one that prepares new weights for timing.

        That one stands in the place of the training. The list is empty where nothing would be saved: nothing is
        trained, or a technique's speed depends on the trained weights.
        """
        before, after = self._changing(configuration)
        if not (before or after) or any(t.speed_depends_on_weights for t, _ in self._chosen(configuration)):
            return ()
        tasks = [self.teacher(configuration)]
        self._add_steps(tasks, configuration, before)
        if before:
            tasks.append(self.task("settling", configuration, {}, {"parent": tasks[-1].key}))
        self._add_steps(tasks, configuration, after)
        return tuple(tasks)

    def lowering(
        self, configuration: Configuration, parent: StageTask, *, screened: bool = False
    ) -> tuple[StageTask, ...]:
        """The stages from the weights that ``parent`` wrote to the artifact.

        Args:
            configuration: A candidate.
            parent: The stage that wrote them.
            screened: Whether it is only timed.
        """
        plan, inputs = self.lowering_plan(configuration), {"parent": parent.key}
        images = {"images": SCREENING_IMAGES} if screened else {}
        if not reads_quantised(plan):
            return (self.artifact(configuration, inputs, images),)
        if any(technique.quantises for technique, _ in self._chosen(configuration)):
            exporting = self.task("exporting", configuration, {}, inputs)
            return exporting, self.artifact(configuration, {**inputs, "onnx": exporting.key})
        quantising = self.quantising(configuration, inputs, images)
        return (*quantising, self.artifact(configuration, {"parent": quantising[-1].key}))

    def quantising(
        self, configuration: Configuration, inputs: Mapping[str, str], calibration: Mapping[str, Scalar] | None = None
    ) -> tuple[StageTask, ...]:
        """The stages that quantise a trained network; where layers stay in floating point, after one that ranks them.

        Args:
            configuration: A candidate.
            inputs: The weights as ``parent`` and, where the network was exported before, ``onnx``.
            calibration: Settings that win over those of the candidate.
        """
        settings = {**quantising_settings(self.lowering_plan(configuration)), **(calibration or {})}
        tasks: list[StageTask] = []
        if "float_share" in settings:
            if "onnx" not in inputs:
                tasks.append(self.task("exporting", configuration, {}, inputs))
                inputs = {**inputs, "onnx": tasks[-1].key}
            ranked = {name: value for name, value in settings.items() if name != "float_share"}
            tasks.append(self.task("ranking", configuration, ranked, inputs))
            inputs = {**inputs, "ranking": tasks[-1].key}
        return (*tasks, self.task("quantising", configuration, settings, inputs))

    def packing(self, configuration: Configuration, lowered: StageTask) -> tuple[StageTask, ...]:
        """The stage that packs the artifact that ``lowered`` wrote; none where no technique makes that worthwhile."""
        if not self.packs(configuration):
            return ()
        return (self.task("packing", configuration, {}, {"parent": lowered.key}),)

    def packs(self, configuration: Configuration) -> bool:
        """Whether the artifact is stored in a smaller file."""
        return any(technique.packs for technique, _ in self._chosen(configuration))

    def lowering_plan(self, configuration: Configuration) -> LoweringPlan:
        """The runtime and the number format of ``configuration``, with the settings of both."""
        return self.plan(configuration, (Stage.QUANTISE, Stage.LOWER, Stage.OPTIONS), LoweringPlan())

    def artifact(
        self, configuration: Configuration, inputs: Mapping[str, str], calibration: Mapping[str, Scalar] | None = None
    ) -> StageTask:
        """The stage that lowers what ``inputs`` name; its settings name the machine where the artifact is for it.

        Those of ``calibration`` are read by a runtime that quantises the network itself.
        """
        plan, machine = self.lowering_plan(configuration), self.space.environment
        on = {"device": machine.device, "cpu_flags": list(machine.cpu_flags)}
        chosen = {name: value for name, value in asdict(plan).items() if name != "quantisation"}
        backend, quantised = find_backend(plan.runtime), NUMBER_FORMATS[plan.precision].quantised
        settings = {**chosen, **(on if backend.for_this_machine else {})}
        settings |= (calibration or {}) if quantised and backend.quantises else {}
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
        teaches: StageTask | None = None,
    ) -> None:
        """The steps of the techniques in ``changing``; without those that train where nothing ``teaches``."""
        for technique, settings in changing:
            for step in technique.steps(settings):
                if isinstance(step, Change):
                    changes = {"technique": technique.name, **step.settings}
                    tasks.append(self.task("transforming", configuration, changes, {"parent": tasks[-1].key}))
                elif isinstance(step, Rewind) and teaches is not None:
                    known = {task.key for task in tasks}
                    made = self._rewinding(tasks, teaches, configuration, step)
                    tasks.extend(task for task in made if task.key not in known)
                elif isinstance(step, Train) and teaches is not None:
                    plan = self._training_plan(configuration)
                    if technique.quantises:  # its quantisers are new, and none of the blocks that may be frozen
                        plan = replace(plan, trainable=1.0, layer_decay=1.0)
                    tasks.append(self._fine_tuning(tasks[-1], teaches, configuration, step, plan))

    def _assistant(self, configuration: Configuration, teacher: StageTask, width: float) -> tuple[StageTask, ...]:
        """The stages of the network of this ``width`` that learns from the ``teacher``; none where the width is 0.

        They hold nothing of the candidate, so that all candidates with an assistant of this width share them.
        """
        if not width:
            return ()
        narrower = {"technique": "student_width", "student_width": width}
        made = self.task("transforming", configuration, narrower, {"parent": teacher.key})
        level = Level.whole(self._training_settings(self._given_plan().for_assistant()), self.seed)
        return made, self._level(made, teacher, configuration, "fine_tuning", level)

    def _add_levels(self, tasks: list[StageTask], configuration: Configuration, teaches: StageTask) -> None:
        """A training for each level; the settings of each hold the whole plan, as the schedule spans all levels."""
        plan = self._training_plan(configuration)
        ends = self.rungs(plan.epochs) if self.facts.trains_in_levels else (plan.epochs,)
        begins = (0, *ends[:-1])
        assert ends[-1] == plan.epochs, f"the levels {ends} do not end with epoch {plan.epochs}"
        assert all(begin < end for begin, end in zip(begins, ends, strict=True)), f"the levels {ends} do not rise"
        for begin, end in zip(begins, ends, strict=True):
            level = Level(self._training_settings(plan), range(begin, end), self.seed)
            tasks.append(self._level(tasks[-1], teaches, configuration, "training", level))

    def _fine_tuning(
        self, parent: StageTask, teaches: StageTask, configuration: Configuration, step: Train, plan: TrainingPlan
    ) -> StageTask:
        """A training between changes, as ``plan`` says but for what the ``step`` gives."""
        rate = plan.learning_rate * step.learning_rate
        plan = replace(plan, epochs=step.epochs or plan.epochs, learning_rate=rate)
        if step.distillation_weight is not None:
            plan = replace(plan, distillation_weight=step.distillation_weight, distillation_method=SOFT_TARGETS)
        settings = self._training_settings(plan)
        settings = settings if step.autocast else replace(settings, autocast="fp32")
        return self._level(parent, teaches, configuration, "fine_tuning", Level.whole(settings, self.seed))

    def _rewinding(
        self, tasks: list[StageTask], teaches: StageTask, configuration: Configuration, step: Rewind
    ) -> tuple[StageTask, StageTask]:
        """The stage that makes the early weights again, as a training gives the same each time, and that puts them in.

        Where the network was not changed before, they are those of the teacher's own training.
        """
        begun = next((index for index, task in enumerate(tasks) if task.stage == "training"), None)
        if begun is not None and step.epochs and self.facts.trains_in_levels:
            settings = self._training_settings(self._training_plan(configuration))
            level = Level(settings, range(min(step.epochs, settings.plan.epochs)), self.seed)
            early = self._level(tasks[begun - 1], teaches, configuration, "fine_tuning", level)
        elif begun is not None:
            early = tasks[begun - 1]
        elif self.facts.pretrained:
            early = tasks[0]
        else:
            epochs = step.epochs if self.facts.trains_in_levels else 0
            early = self.task("teacher", configuration, {**tasks[0].settings, "to_epoch": epochs}, {})
        inputs = {"parent": tasks[-1].key, "early": early.key}
        return early, self.task("rewinding", configuration, {}, inputs)

    def _level(
        self, parent: StageTask, teaches: StageTask, configuration: Configuration, stage: str, level: Level
    ) -> StageTask:
        """A training of what ``parent`` wrote, which learns from what ``teaches`` wrote."""
        inputs = {"parent": parent.key, "teacher": teaches.key}
        workers = level.settings.plan.workers
        return self.task(stage, configuration, level.to_json(), inputs, workers=workers)

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
