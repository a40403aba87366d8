"""The stages from the teacher to a trained network: the changes of a network, its trainings, and its assistant."""

from dataclasses import dataclass, replace

from runners.chains.stage_maker import StageMaker
from runners.machine.resources import SOFT_TARGETS_STAGE
from runners.runner import StageTask
from runners.training.settings import Level, TrainingSettings
from runners.workload import UNLABELLED
from spaces.configuration import Configuration, Scalar
from spaces.plans import SOFT_TARGETS, TrainingPlan
from spaces.steps import Change, Rewind, Train
from spaces.technique import Stage, Technique

Changes = tuple[tuple[Technique, dict[str, Scalar]], ...]
"""Techniques in the order in which they are applied, each with its settings."""


@dataclass(frozen=True)
class NetworkStages(StageMaker):
    """Makes the stages that change and train the networks of one study."""

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
        student, pruning = _student_and_pruning(before)
        self._add_steps(tasks, configuration, student, teaches)
        if plan.train_before_pruning and student and pruning:
            tasks.extend(self._fine_tuning(tasks[-1], teaches, configuration, Train(plan.epochs), plan))
        self._add_steps(tasks, configuration, pruning, teaches)
        if before:
            self._add_levels(tasks, configuration, teaches)
        self._add_steps(tasks, configuration, after, teaches)
        return (teacher, *assistant, *tasks[1:])

    def untrained(self, configuration: Configuration) -> tuple[StageTask, ...]:
        """The stages of `network` without those that train, and one that prepares new weights for timing.

        That one stands in the place of the training. The list is empty where nothing is trained, and where the trained
        weights decide the speed: that of a technique, or of the layers that a change leaves after a training.
        """
        before, after = self._changing(configuration)
        weighed = any(technique.speed_depends_on_weights for technique, _ in self.chosen(configuration))
        if not (before or after) or weighed or self._training_decides_layers(configuration):
            return ()
        tasks = [self.teacher(configuration)]
        self._add_steps(tasks, configuration, before)
        if before:
            tasks.append(self.task("settling", configuration, {}, {"parent": tasks[-1].key}))
        self._add_steps(tasks, configuration, after)
        return tuple(tasks)

    def _training_decides_layers(self, configuration: Configuration) -> bool:
        """Whether a change would leave other layers without the trainings before it."""
        student, pruning = _student_and_pruning(self._changing(configuration)[0])
        trained = bool(student) and self._training_plan(configuration).train_before_pruning
        for technique, settings in pruning:
            for step in technique.steps(settings):
                if trained and isinstance(step, Change) and technique.layers_depend_on_weights(settings):
                    return True
                trained = trained or isinstance(step, Train)
        return False

    def _add_steps(
        self,
        tasks: list[StageTask],
        configuration: Configuration,
        changing: Changes,
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
                    if technique.adds_layers:
                        plan = plan.for_new_weights()
                    tasks.extend(self._fine_tuning(tasks[-1], teaches, configuration, step, plan))

    def _assistant(self, configuration: Configuration, teacher: StageTask, width: float) -> tuple[StageTask, ...]:
        """The stages of the network of this ``width`` that learns from the ``teacher``; none where the width is 0.

        They hold nothing of the candidate, so that all candidates with an assistant of this width share them.
        """
        if not width:
            return ()
        narrower = {"technique": "student_width", "student_width": width}
        made = self.task("transforming", configuration, narrower, {"parent": teacher.key})
        level = Level.whole(self._training_settings(self._given_plan().for_assistant()), self.seed)
        return made, *self._level(made, teacher, configuration, "fine_tuning", level)

    def _add_levels(self, tasks: list[StageTask], configuration: Configuration, teaches: StageTask) -> None:
        """A training for each level; the settings of each hold the whole plan, as the schedule spans all levels."""
        plan = self._training_plan(configuration)
        ends = self.rungs(plan.epochs) if self.facts.trains_in_levels else (plan.epochs,)
        begins = (0, *ends[:-1])
        assert ends[-1] == plan.epochs, f"the levels {ends} do not end with epoch {plan.epochs}"
        assert all(begin < end for begin, end in zip(begins, ends, strict=True)), f"the levels {ends} do not rise"
        for begin, end in zip(begins, ends, strict=True):
            level = Level(self._training_settings(plan), range(begin, end), self.seed)
            tasks.extend(self._level(tasks[-1], teaches, configuration, "training", level))

    def _fine_tuning(
        self, parent: StageTask, teaches: StageTask, configuration: Configuration, step: Train, plan: TrainingPlan
    ) -> tuple[StageTask, ...]:
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
    ) -> tuple[StageTask, ...]:
        """The stages that make the early weights again, as a training gives the same each time, and that put them in.

        Where the network was not changed before, they are those of the teacher's own training.
        """
        began = next((task.inputs["parent"] for task in tasks if task.stage == "training"), None)
        begun = next((task for task in tasks if task.key == began), None)
        if begun is not None and step.epochs and self.facts.trains_in_levels:
            settings = self._training_settings(self._training_plan(configuration))
            level = Level(settings, range(min(step.epochs, settings.plan.epochs)), self.seed)
            early = self._level(begun, teaches, configuration, "fine_tuning", level)
        elif begun is not None:
            early = (begun,)
        elif self.facts.pretrained:
            early = (tasks[0],)
        else:
            epochs = step.epochs if self.facts.trains_in_levels else 0
            early = (self.task("teacher", configuration, {**tasks[0].settings, "to_epoch": epochs}, {}),)
        inputs = {"parent": tasks[-1].key, "early": early[-1].key}
        return *early, self.task("rewinding", configuration, {}, inputs)

    def _level(
        self, parent: StageTask, teaches: StageTask, configuration: Configuration, stage: str, level: Level
    ) -> tuple[StageTask, ...]:
        """A training of what ``parent`` wrote, which learns from what ``teaches`` wrote.

        Where that is a matter of outputs alone, a stage before it computes them for all trainings with these batches.
        """
        inputs = {"parent": parent.key, "teacher": teaches.key}
        if taught := self._soft_targets(teaches, configuration, level):
            inputs["soft_targets"] = taught[0].key
        workers = level.settings.plan.workers
        return *taught, self.task(stage, configuration, level.to_json(), inputs, workers=workers)

    def _soft_targets(
        self, teaches: StageTask, configuration: Configuration, level: Level
    ) -> tuple[()] | tuple[StageTask]:
        """The stage that calls the teacher on the batches of ``level``; none where a training has to do so itself.

        Its settings hold nothing of the plan but what decides the batches, so that other trainings share it.
        """
        plan = level.settings.plan
        if not plan.distillation_weight or plan.compares_layers:
            return ()
        if self.space.environment.own_fit or UNLABELLED in self.facts.examples:
            return ()
        same = replace(level.settings, plan=TrainingPlan(batch_size=plan.batch_size, mixup=plan.mixup))
        settings = replace(level, settings=same).to_json()
        return (self.task(SOFT_TARGETS_STAGE, configuration, settings, {"parent": teaches.key}),)

    def _training_plan(self, configuration: Configuration) -> TrainingPlan:
        """The plan of a candidate; a student has new weights, none of which the workload's plan may freeze."""
        plan = self.plan(configuration, (Stage.TRAIN,), self._given_plan())
        before, _ = self._changing(configuration)
        return plan if all(technique.keeps_weights for technique, _ in before) else plan.for_new_weights()

    def _given_plan(self) -> TrainingPlan:
        return TrainingPlan(**self.facts.training)

    def _training_settings(self, plan: TrainingPlan) -> TrainingSettings:
        return TrainingSettings.on(self.space.environment, plan)

    def _changing(self, configuration: Configuration) -> tuple[Changes, Changes]:
        """The techniques that change the network before its training, and those that do after it."""
        changing = [(t, settings) for t, settings in self.chosen(configuration) if t.changes_network]
        before = tuple((t, settings) for t, settings in changing if t.stage < Stage.TRAIN)
        return before, tuple((t, settings) for t, settings in changing if t.stage > Stage.TRAIN)


def _student_and_pruning(before: Changes) -> tuple[Changes, Changes]:
    """The changes before the training that make a student, and those that prune."""
    student = tuple((technique, own) for technique, own in before if technique.stage is Stage.STUDENT)
    return student, before[len(student) :]
