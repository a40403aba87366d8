"""From a configuration to its chain of stages, each named by a hash over everything that decides its result."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from runners.runner import StageTask, WorkloadFacts
from runners.stages.chain_builder import ChainBuilder
from runners.training.settings import Level, TrainingSettings
from spaces.configuration import Configuration, Scalar
from spaces.plans import LoweringPlan, ServingPlan, TrainingPlan
from spaces.search_space import SearchSpace
from spaces.technique import CHANGES_THE_MODEL, Stage, Technique

Plan = TypeVar("Plan", TrainingPlan, LoweringPlan, ServingPlan)

SCREENING_IMAGES = 16
"""Images on which an untrained network is calibrated: other ranges do not make int8 faster or slower."""
SEARCHING_S = 1.2
"""Seconds for which a candidate is timed against the baseline in the search; slow ones take longer (`OVERTIME`)."""
FINAL_S = 0.5
"""Seconds for which a member of a front is timed alone at the end, in case it cannot be timed beside the others."""
COMPARING_S = 1.0
"""Seconds for which each member of a front is timed at the end, in each of the processes."""
COMPARING_PROCESSES = 2
CALIBRATING_PROCESSES = 3


def single_level(epochs: int) -> tuple[int, ...]:
    """One level, from the first epoch to the last."""
    return (epochs,)


@dataclass(frozen=True)
class Chains:
    """Makes the chains of one study.

    Attributes:
        space: The techniques and the machine.
        facts: What is known of the workload.
        workload: Its reference.
        seed: The study's seed.
        rungs: Gives the epochs at which the levels of a training of that many epochs end: rising, the last one
            being all of them, such as ``(1, 3, 8)`` for 8.
        least_calls: Calls of each candidate that are timed at least, where a high percentile is asked for.
    """

    space: SearchSpace
    facts: WorkloadFacts
    workload: Any
    seed: int
    rungs: Callable[[int], tuple[int, ...]] = single_level
    least_calls: int = 0

    def chain(self, configuration: Configuration, *, screened: bool = False) -> tuple[StageTask, ...]:
        """The stages of ``configuration`` from the teacher to the measurement, each after its inputs.

        Args:
            configuration: A candidate.
            screened: Whether its `screening` is done, so that the last stage takes the speed from there and measures
                the accuracy alone. Where there is no screening, the last stage measures both.
        """
        screening = self.screening(configuration) if screened else ()
        builder = self._builder(configuration)
        teacher, parent = self._add_network(builder, configuration)
        if parent != teacher:
            parent = self._add_training(builder, configuration, parent, teacher)
        parent = self._add_lowering(builder, configuration, parent)
        settings = self.measuring(configuration)
        if screening:
            kept = {name: settings[name] for name in ("serving", "splits", "device")}
            inputs = {"parent": parent, "speed": screening[-1].key}
            builder.add("measuring", kept, inputs, workers=kept["serving"]["threads"])
        else:
            builder.add("measuring", settings, {"parent": parent, "teacher": teacher}, exclusive=True)
        return tuple(builder.tasks)

    def screening(self, configuration: Configuration) -> tuple[StageTask, ...]:
        """The stages that find the speed of ``configuration`` without training it.

        The last one times and measures as the last of `chain` does, and gives no accuracy. It is empty where
        nothing would be saved: nothing is trained, or a technique's speed depends on the trained weights.
        """
        builder = self._builder(configuration)
        teacher, parent = self._add_network(builder, configuration)
        if parent == teacher or any(t.speed_depends_on_weights for t, _ in self._chosen(configuration)):
            return ()
        settled = builder.add("settling", {}, {"parent": parent})
        parent = self._add_lowering(builder, configuration, settled, images=SCREENING_IMAGES)
        settings = {**self.measuring(configuration), "splits": []}
        builder.add("measuring", settings, {"parent": parent, "teacher": teacher}, exclusive=True)
        return tuple(builder.tasks)

    def final(self, configuration: Configuration, trials: int, occasion: int = 0) -> StageTask:
        """The measurement of a front member at the end of a search, on all three splits.

        Args:
            configuration: A candidate whose chain is done.
            trials: Number of trials that the study had.
            occasion: How often its front was measured before; both together keep an old figure from being a new one.
        """
        searched = self.chain(configuration)[-1]
        splits = ["train", "validation", "test"]
        last = {"splits": splits, "budget_s": FINAL_S, "trials": trials, "occasion": occasion}
        return self._single("measuring", configuration, {**searched.settings, **last}, searched.inputs)

    def comparing(self, members: Mapping[int, Configuration], trials: int, occasion: int = 0) -> StageTask:
        """The timing of a front's ``members``, by trial number, beside each other and the baseline.

        ``trials`` and ``occasion`` are those of `final`.
        """
        lowered = {number: self.chain(configuration)[-2] for number, configuration in members.items()}
        settings = {
            "members": {str(n): self.measuring(c)["serving"]["threads"] for n, c in members.items()},
            "baseline_threads": ServingPlan().threads,
            "processes": COMPARING_PROCESSES,
            "budget_s": COMPARING_S,
            **self._calls(),
            "device": self.space.environment.device,
            "trials": trials,
            "occasion": occasion,
        }
        inputs = {f"trial {number}": task.key for number, task in lowered.items()}
        return self._single("comparing", self.space.baseline(), settings, {**inputs, "teacher": self._teacher_key()})

    def calibrating(self, study: str, occasion: int = 0) -> StageTask:
        """The timing of the baseline against itself, for each study and machine; ``occasion`` as in `final`."""
        settings = {
            "baseline_threads": ServingPlan().threads,
            "processes": CALIBRATING_PROCESSES,
            "budget_s": SEARCHING_S,
            "device": self.space.environment.device,
            "study": study,
            "occasion": occasion,
        }
        return self._single("calibrating", self.space.baseline(), settings, {"teacher": self._teacher_key()})

    def measuring(self, configuration: Configuration) -> dict[str, Any]:
        """The settings of the measurement, which belong to the machine as much as to the candidate."""
        return {
            "serving": asdict(self._plan(configuration, (Stage.SERVE,), ServingPlan())),
            "baseline_threads": ServingPlan().threads,
            "splits": ["validation"],
            "budget_s": SEARCHING_S,
            **self._calls(),
            "device": self.space.environment.device,
        }

    def _calls(self) -> dict[str, int]:
        return {"least_calls": self.least_calls} if self.least_calls else {}

    def _builder(self, configuration: Configuration) -> ChainBuilder:
        about = self.space.environment, self.facts.fingerprint, self.workload, self.seed
        return ChainBuilder(*about, configuration.canonical())

    def _single(
        self, stage: str, configuration: Configuration, settings: Mapping[str, Any], inputs: Mapping[str, str]
    ) -> StageTask:
        """One stage that has the machine to itself."""
        builder = self._builder(configuration)
        builder.add(stage, settings, inputs, exclusive=True)
        return builder.tasks[0]

    def _add_network(self, builder: ChainBuilder, configuration: Configuration) -> tuple[str, str]:
        """Add the teacher and the stages that change it; the keys of the teacher and of the last of them."""
        plan = {} if self.facts.pretrained else self._training_settings(TrainingPlan(**self.facts.training)).to_json()
        teacher = parent = builder.add("teacher", {"plan": plan, "pretrained": self.facts.pretrained})
        for technique, settings in self._chosen(configuration):
            if technique.stage in CHANGES_THE_MODEL:
                parent = builder.add("transforming", {"technique": technique.name, **settings}, {"parent": parent})
        return teacher, parent

    def _add_training(self, builder: ChainBuilder, configuration: Configuration, parent: str, teacher: str) -> str:
        """Add a training for each level. Its settings hold the whole plan, as the schedule spans all levels."""
        plan = self._plan(configuration, (Stage.TRAIN,), TrainingPlan(**self.facts.training))
        ends = self.rungs(plan.epochs)
        begins = (0, *ends[:-1])
        assert ends[-1] == plan.epochs, f"the levels {ends} do not end with epoch {plan.epochs}"
        assert all(begin < end for begin, end in zip(begins, ends, strict=True)), f"the levels {ends} do not rise"
        for begin, end in zip(begins, ends, strict=True):
            level = Level(self._training_settings(plan), range(begin, end), self.seed)
            inputs = {"parent": parent, "teacher": teacher}
            parent = builder.add("training", level.to_json(), inputs, workers=plan.workers)
        return parent

    def _add_lowering(
        self, builder: ChainBuilder, configuration: Configuration, parent: str, **calibration: int
    ) -> str:
        plan = self._plan(configuration, (Stage.QUANTISE, Stage.LOWER), LoweringPlan())
        if plan.precision == "int8":
            parent = builder.add("quantising", {"precision": "int8", **calibration}, {"parent": parent})
        return builder.add("lowering", asdict(plan), {"parent": parent})

    def _chosen(self, configuration: Configuration) -> Iterator[tuple[Technique, dict[str, Scalar]]]:
        """The techniques that ``configuration`` makes use of, with what they are set to."""
        for technique in self.space.techniques:
            if settings := self.space.settings_of(technique, configuration):
                yield technique, settings

    def _plan(self, configuration: Configuration, stages: tuple[Stage, ...], plan: Plan) -> Plan:
        """``plan`` as the techniques of ``stages`` change it."""
        for technique, settings in self._chosen(configuration):
            if technique.stage in stages:
                changed = technique.apply(plan, settings, None)
                assert changed != plan, f"{technique.name} changed nothing with {settings}"
                plan = changed
        return plan

    def _teacher_key(self) -> str:
        return self.chain(self.space.baseline())[0].key

    def _training_settings(self, plan: TrainingPlan) -> TrainingSettings:
        return TrainingSettings.on(self.space.environment, plan)
