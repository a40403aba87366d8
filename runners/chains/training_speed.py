"""The stages that time the training of a candidate, in pairs with that of the teacher's network by one worker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from runners.chains.network_stages import NetworkStages
from runners.machine.resources import TIMING_TRAINING, TRAINING_STAGES, cpus_of
from runners.runner import StageTask
from runners.training.settings import TrainingSettings
from spaces.configuration import Configuration

BUDGET_S = 1.2
"""Seconds for which the steps of a training are timed in turn with those of the teacher's network."""


@dataclass(frozen=True)
class TrainingSpeedStages(NetworkStages):
    """Makes the stages that time trainings of one study."""

    def training_speed(self, configuration: Configuration) -> tuple[StageTask, ...]:
        """The timing of the training of the teacher's network, and after it that of the candidate's where it has one.

        Of several trainings the one with the most epochs is timed, and the others count at its speed. The last stage is
        the one that has the figures of the candidate.
        """
        reference = self._reference()
        trainings = _trainings(self.network(configuration))
        if not trainings:
            return (reference,)
        begins = [task for task in trainings if task.settings["from_epoch"] == 0]
        longest = max(begins, key=lambda task: int(task.settings["epochs"]))
        trained = sum(self._examples(task) for task in trainings)
        own = TrainingSettings.from_json(longest.settings)
        inputs = {"parent": longest.inputs["parent"], "learns_from": longest.inputs["teacher"]}
        inputs |= {"teacher": reference.inputs["teacher"], "reference": reference.key}
        return reference, self._timing(configuration, own, inputs, trained, longest.cpus // own.plan.workers)

    def _reference(self) -> StageTask:
        """The timing of the training of the teacher's network by the workload's own plan and one worker."""
        teacher, plan = self.teacher(self.space.baseline()), self._plain().plan
        inputs = dict.fromkeys(("parent", "learns_from", "teacher"), teacher.key)
        return self._timing(self.space.baseline(), TrainingSettings.on(self.space.environment, plan), inputs, 0)

    def _timing(
        self,
        configuration: Configuration,
        settings: TrainingSettings,
        inputs: Mapping[str, str],
        trained_examples: int,
        threads: int | None = None,
    ) -> StageTask:
        machine = self.space.environment
        alone = cpus_of("training", machine, exclusive=False, workers=1)
        timed = {
            **settings.to_json(),
            "reference": self._plain().to_json(),
            "threads": threads or alone,
            "reference_threads": alone,
            "trained_examples": trained_examples,
            "budget_s": BUDGET_S,
            "device": machine.device,
        }
        workers = settings.plan.workers
        return self.task(TIMING_TRAINING, configuration, timed, inputs, exclusive=True, workers=workers)

    def _plain(self) -> TrainingSettings:
        """The workload's own plan by one worker that learns from labels alone, with which all are compared."""
        plan = replace(self._given_plan().for_new_weights(), workers=1, distillation_weight=0.0)
        return self._training_settings(replace(plan, distillation_method=type(plan).distillation_method))

    def _examples(self, training: StageTask) -> int:
        """How many examples ``training`` sees, all of its epochs together."""
        settings, examples = training.settings, self.facts.examples["train"]
        batch = min(settings["batch_size"], examples)
        return int((settings["to_epoch"] - settings["from_epoch"]) * (examples // batch) * batch)


def _trainings(network: Sequence[StageTask]) -> list[StageTask]:
    """The trainings between the teacher and the last stage of ``network``, without that of an assistant."""
    by_key, found = {task.key: task for task in network}, []
    task: StageTask | None = network[-1]
    while task is not None:
        if task.stage in TRAINING_STAGES:
            found.append(task)
        task = by_key.get(task.inputs.get("parent", ""))
    return found[::-1]
