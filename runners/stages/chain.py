"""From a configuration to its chain of stages, each named by a hash over everything that decides its result."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from runners.runner import StageTask, WorkloadFacts
from runners.stages.links import Links
from spaces.configuration import Configuration
from spaces.plans import LoweringPlan, ServingPlan, TrainingPlan
from spaces.search_space import SearchSpace
from spaces.technique import CHANGES_THE_MODEL, Stage

Plan = TypeVar("Plan", TrainingPlan, LoweringPlan, ServingPlan)

SCREENING_IMAGES = 16
"""On so many images is an untrained network calibrated: other ranges do not make int8 faster or slower."""
SEARCHING_S = 1.2
"""For so long is one candidate timed against the baseline in the search; slow ones take longer (`OVERTIME`)."""
JUDGING_S = 0.5
"""For so long is a member of a front timed alone, in case it cannot be timed beside the others."""
COMPARING_S = 1.0
"""For so long is each member of a front timed in each of the processes that have the last word."""
COMPARING_PROCESSES = 2
CALIBRATING_PROCESSES = 3


def in_one_go(epochs: int) -> tuple[int, ...]:
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
        least_calls: So many calls of each candidate are timed at least, where a high percentile is asked for.
    """

    space: SearchSpace
    facts: WorkloadFacts
    workload: Any
    seed: int
    rungs: Callable[[int], tuple[int, ...]] = in_one_go
    least_calls: int = 0

    def chain(self, configuration: Configuration, *, screened: bool = False) -> tuple[StageTask, ...]:
        """The stages of ``configuration`` from the teacher to the measurement, each after its inputs.

        Args:
            configuration: A candidate.
            screened: Whether its `screening` is done, so that the last stage takes the speed from there and judges
                the accuracy alone. Where there is no screening, the last stage does both as ever.
        """
        screening = self.screening(configuration) if screened else ()
        links = self._links(configuration)
        teacher, parent = self._transformed(links, configuration)
        if parent != teacher:
            parent = self._trained(links, configuration, parent, teacher)
        parent = self._lowered(links, configuration, parent)
        if screening:
            self._judged(links, configuration, parent, speed=screening[-1].key)
        else:
            links.add("measuring", self.measuring(configuration), {"parent": parent, "teacher": teacher}, alone=True)
        return tuple(links.tasks)

    def screening(self, configuration: Configuration) -> tuple[StageTask, ...]:
        """The stages that find the speed of ``configuration`` without training it.

        The last one times and measures as the last of `chain` does, and gives no accuracy. It is empty where
        nothing would be saved: nothing is trained, or a technique's speed depends on the trained weights.
        """
        links = self._links(configuration)
        teacher, parent = self._transformed(links, configuration)
        if parent == teacher or self._speed_depends_on_weights(configuration):
            return ()
        settled = links.add("settling", {}, {"parent": parent})
        parent = self._lowered(links, configuration, settled, images=SCREENING_IMAGES)
        settings = {**self.measuring(configuration), "splits": []}
        links.add("measuring", settings, {"parent": parent, "teacher": teacher}, alone=True)
        return tuple(links.tasks)

    def final(self, configuration: Configuration, trials: int, occasion: int = 0) -> StageTask:
        """The judgement of a front member on all three splits, for the last word.

        Args:
            configuration: A candidate whose chain is done.
            trials: Number of trials that the study had.
            occasion: How often its front was measured before; both together keep an old figure from being a new one.
        """
        searched = self.chain(configuration)[-1]
        links = self._links(configuration)
        splits = ["train", "validation", "test"]
        last = {"splits": splits, "budget_s": JUDGING_S, "trials": trials, "occasion": occasion}
        links.add("measuring", {**searched.settings, **last}, searched.inputs, alone=True)
        return links.tasks[0]

    def comparing(self, members: Mapping[int, Configuration], trials: int, occasion: int = 0) -> StageTask:
        """The timing of a front's ``members``, by trial number, beside each other and the baseline.

        ``trials`` and ``occasion`` are those of `final`.
        """
        lowered = {number: self.chain(configuration)[-2] for number, configuration in members.items()}
        links = self._links(self.space.baseline())
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
        links.add("comparing", settings, {**inputs, "teacher": self._teacher_key()}, alone=True)
        return links.tasks[0]

    def calibrating(self, study: str, occasion: int = 0) -> StageTask:
        """The timing of the baseline against itself, for each study and machine; ``occasion`` as in `final`."""
        links = self._links(self.space.baseline())
        settings = {
            "baseline_threads": ServingPlan().threads,
            "processes": CALIBRATING_PROCESSES,
            "budget_s": SEARCHING_S,
            "device": self.space.environment.device,
            "study": study,
            "occasion": occasion,
        }
        links.add("calibrating", settings, {"teacher": self._teacher_key()}, alone=True)
        return links.tasks[0]

    def measuring(self, configuration: Configuration) -> dict[str, Any]:
        """The settings of the measurement, which belong to the machine as much as to the candidate."""
        return {
            "serving": asdict(self._planned(configuration, (Stage.SERVE,), ServingPlan())),
            "baseline_threads": ServingPlan().threads,
            "splits": ["validation"],
            "budget_s": SEARCHING_S,
            **self._calls(),
            "device": self.space.environment.device,
        }

    def _calls(self) -> dict[str, int]:
        return {"least_calls": self.least_calls} if self.least_calls else {}

    def _links(self, configuration: Configuration) -> Links:
        about = self.space.environment, self.facts.fingerprint, self.workload, self.seed
        return Links(*about, configuration.canonical())

    def _transformed(self, links: Links, configuration: Configuration) -> tuple[str, str]:
        """Add the teacher and what changes it; the keys of the teacher and of the last of them."""
        teacher = parent = links.add("teacher", {"plan": self._teacher_plan(), "pretrained": self.facts.pretrained})
        for technique in self.space.techniques:
            settings = self.space.settings_of(technique, configuration)
            if technique.stage in CHANGES_THE_MODEL and settings:
                parent = links.add("transforming", {"technique": technique.name, **settings}, {"parent": parent})
        return teacher, parent

    def _trained(self, links: Links, configuration: Configuration, parent: str, teacher: str) -> str:
        """Add a training for each level. Its settings hold the whole plan, as the schedule spans all levels."""
        plan = self._planned(configuration, (Stage.TRAIN,), TrainingPlan(**self.facts.training))
        ends = self.rungs(plan.epochs)
        begins = (0, *ends[:-1])
        assert ends[-1] == plan.epochs, f"the levels {ends} do not end with epoch {plan.epochs}"
        assert all(begin < end for begin, end in zip(begins, ends, strict=True)), f"the levels {ends} do not rise"
        for begin, end in zip(begins, ends, strict=True):
            level = {**self._training(plan), "from_epoch": begin, "to_epoch": end}
            parent = links.add("training", level, {"parent": parent, "teacher": teacher}, workers=plan.workers)
        return parent

    def _lowered(self, links: Links, configuration: Configuration, parent: str, **calibration: int) -> str:
        lowering = self._planned(configuration, (Stage.QUANTISE, Stage.LOWER), LoweringPlan())
        if lowering.precision == "int8":
            parent = links.add("quantising", {"precision": "int8", **calibration}, {"parent": parent})
        return links.add("lowering", asdict(lowering), {"parent": parent})

    def _judged(self, links: Links, configuration: Configuration, parent: str, speed: str) -> None:
        settings = self.measuring(configuration)
        kept = {name: settings[name] for name in ("serving", "splits", "device")}
        links.add("measuring", kept, {"parent": parent, "speed": speed}, workers=kept["serving"]["threads"])

    def _speed_depends_on_weights(self, configuration: Configuration) -> bool:
        return any(
            technique.speed_depends_on_weights and self.space.settings_of(technique, configuration)
            for technique in self.space.techniques
        )

    def _planned(self, configuration: Configuration, stages: tuple[Stage, ...], plan: Plan) -> Plan:
        for technique in self.space.techniques:
            settings = self.space.settings_of(technique, configuration)
            if technique.stage in stages and settings:
                changed = technique.apply(plan, settings, None)
                assert changed != plan, f"{technique.name} changed nothing with {settings}"
                plan = changed
        return plan

    def _teacher_key(self) -> str:
        return self.chain(self.space.baseline())[0].key

    def _teacher_plan(self) -> dict[str, Any]:
        return {} if self.facts.pretrained else self._training(TrainingPlan(**self.facts.training))

    def _training(self, plan: TrainingPlan) -> dict[str, Any]:
        """How to train. Weights from an accelerator are not those from a processor, so its kind is part of them."""
        machine = self.space.environment
        if machine.accelerators:
            autocast = "bf16" if machine.accelerator_bf16 else "fp32"
            return {**asdict(plan), "autocast": autocast, "accelerator": machine.accelerator}
        return {**asdict(plan), "autocast": "bf16" if {"avx512_bf16", "amx_bf16"} & set(machine.cpu_flags) else "fp32"}
