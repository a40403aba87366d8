"""From a configuration to its chain of stages, each named by a hash over everything that decides its result."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from runners.chains.candidate_stages import CandidateStages
from runners.chains.stage_maker import StageMaker
from runners.runner import StageTask
from runners.serving.serving_plans import serving_plans
from runners.workload import SPLITS
from spaces.configuration import Configuration
from spaces.plans import ServingPlan
from spaces.technique import Stage

SEARCHING_S = 1.2
"""Seconds for which a candidate is timed against the baseline in the search; see `runners.measuring.stopwatch`."""
FINAL_S = 0.5
"""Seconds for which a member of a front is timed alone at the end, where it has to serve once more."""
COMPARING_S = 0.5
"""Seconds for which each member of a front is timed at the end, in each of the processes."""
COMPARING_PROCESSES = 4
"""With two, Student's interval of their mean would be 5.6 times as wide, since two values say little of their spread.
"""
CALIBRATING_PROCESSES = 3
CONTRASTING_S = 0.3
"""Seconds for which each variant of a candidate is timed beside the others, in each of the processes."""


@dataclass(frozen=True)
class Variant:
    """A candidate that is timed beside others.

    Attributes:
        configuration: Its choices.
        lowering: The stage that writes its artifact.
    """

    configuration: Configuration
    lowering: StageTask


@dataclass(frozen=True)
class Chains(StageMaker):
    """Makes the chains of one study.

    Attributes:
        least_calls: Calls of each candidate that are timed at least, where a high percentile is asked for.
        times_training: Whether the speed of trainings is asked for.
    """

    least_calls: int = 0
    times_training: bool = False

    def chain(self, configuration: Configuration, *, screened: bool = False) -> tuple[StageTask, ...]:
        """The stages of ``configuration`` from the teacher to the measurement, each after its inputs.

        Args:
            configuration: A candidate.
            screened: Whether its `screening` is done, so that the last stage takes the speed from there and measures
                the accuracy alone. Where there is no screening, the last stage measures both.
        """
        network = self._candidates.network(configuration)
        lowering = self._candidates.lowering(configuration, network[-1])
        packing = self._candidates.packing(configuration, lowering[-1])
        settings, lowered = self._measuring_settings(configuration), _lowered(lowering)
        training = self._candidates.training_speed(configuration) if self.times_training else ()
        lowered = {**lowered, **({"packed": packing[0].key} if packing else {})}
        lowered |= {"training_speed": training[-1].key} if training else {}
        if screened and (screening := self.screening(configuration)):
            settings = {name: settings[name] for name in ("serving", "splits", "device", "packs") if name in settings}
            inputs = {**lowered, "speed": screening[-1].key}
            workers = settings["serving"]["threads"]
            measuring = self.task("measuring", configuration, settings, inputs, workers=workers)
        else:
            inputs = {**lowered, "teacher": network[0].key}
            measuring = self.task("measuring", configuration, settings, inputs, exclusive=True)
        return (*network, *lowering, *packing, *training, measuring)

    def screening(self, configuration: Configuration) -> tuple[StageTask, ...]:
        """The stages that find the speed of ``configuration`` without training it.

        The last one times and measures as the last of `chain` does, and gives no accuracy. It is empty where
        nothing would be saved: nothing is trained, or a technique's speed depends on the trained weights.
        """
        network = self._candidates.untrained(configuration)
        if not network:
            return ()
        lowering = self._candidates.lowering(configuration, network[-1], screened=True)
        settings = {**self._measuring_settings(configuration), "splits": []}
        inputs = {**_lowered(lowering), "teacher": network[0].key}
        measuring = self.task("measuring", configuration, settings, inputs, exclusive=True)
        return (*network, *lowering, measuring)

    def final(
        self,
        configuration: Configuration,
        trials: int,
        occasion: int = 0,
        served_with: Mapping[str, int] | None = None,
        measured: str | None = None,
    ) -> StageTask:
        """The measurement of a front member at the end of a search, on all splits that the data have.

        Args:
            configuration: A candidate whose chain is done.
            trials: Number of trials that the study had.
            occasion: How often its front was measured before; with ``trials`` it gives every measurement its own key.
            served_with: The best way to serve it that the search found, where it tried several.
            measured: The key of its measurement in the search, from which its speed is taken, so that it is only
                evaluated and others may be evaluated beside it. None times it alone and serves it, too.
        """
        searched = self.chain(configuration)[-1]
        splits = [name for name in SPLITS if name in self.facts.examples] or list(SPLITS)
        settings = {"splits": splits, "trials": trials, "occasion": occasion}
        if measured is None:
            servings = {"servings": [dict(served_with)]} if served_with else {}
            settings = {**searched.settings, **servings, **settings, "budget_s": FINAL_S}
            return self.task("measuring", configuration, settings, searched.inputs, exclusive=True)
        kept = ("serving", "device", "baseline_tuned", "packs")
        settings = {**{name: value for name, value in searched.settings.items() if name in kept}, **settings}
        # Without its network: it was compared with that in the search.
        read = ("parent", "packed", "training_speed")
        inputs = {**{n: key for n, key in searched.inputs.items() if n in read}, "speed": measured}
        workers = searched.settings["serving"]["threads"]
        return self.task("measuring", configuration, settings, inputs, workers=workers)

    def comparing(self, members: Mapping[int, Configuration], trials: int, occasion: int = 0) -> StageTask:
        """The timing of a front's ``members``, by trial number, beside each other and the baseline.

        ``trials`` and ``occasion`` are those of `final`.
        """
        lowered = {number: _writes_artifact(self.chain(configuration)) for number, configuration in members.items()}
        settings = {
            **self._timing_settings(COMPARING_S),
            **self._calls(),
            "members": {str(n): self._serving(c).threads for n, c in members.items()},
            "processes": COMPARING_PROCESSES,
            "trials": trials,
            "occasion": occasion,
        }
        inputs = {f"trial {number}": task.key for number, task in lowered.items()}
        return self._baseline_task("comparing", settings, inputs)

    def evaluating(self, configuration: Configuration) -> StageTask:
        """The evaluation of the trained artifact of ``configuration`` on the validation split; nothing is timed."""
        measuring = self.chain(configuration)[-1]
        return self._evaluating(configuration, {role: measuring.inputs[role] for role in ("parent", "network")})

    def contrasting(
        self, variants: Mapping[str, Variant], contrasts: Mapping[str, Mapping[str, int]], occasion: int = 0
    ) -> StageTask:
        """The timing of ``variants`` beside each other and the baseline.

        Args:
            variants: What is timed, by name.
            contrasts: For each contrast of their times the weight of each variant, as in `runners.measuring.contrasts`.
            occasion: How often the same was timed before: each time is a measurement of its own.
        """
        arms = {
            name: {"threads": self._serving(one.configuration).threads, "configuration": one.configuration.canonical()}
            for name, one in variants.items()
        }
        settings = {
            **self._timing_settings(CONTRASTING_S),
            "arms": arms,
            "contrasts": {name: dict(weights) for name, weights in contrasts.items()},
            "processes": COMPARING_PROCESSES,
            "occasion": occasion,
        }
        return self._baseline_task("comparing", settings, {name: one.lowering.key for name, one in variants.items()})

    def calibrating(
        self, study: str, offered: Sequence[int], occasion: int = 0, tuned: bool | None = None
    ) -> StageTask:
        """The timing of the baseline against itself, for each study and machine.

        Args:
            study: Name of the study.
            offered: The numbers of threads with which it is timed.
            occasion: As in `final`.
            tuned: On an accelerator, whether it computes with TF32 and in channels_last; None lets the stage find out.
        """
        settings = {
            "offered": list(offered),
            **({"tuned": tuned} if self.space.environment.accelerators else {}),
            **self._batch(),
            "budget_s": SEARCHING_S,
            "device": self.space.environment.device,
            "processes": CALIBRATING_PROCESSES,
            "study": study,
            "occasion": occasion,
        }
        return self._baseline_task("calibrating", settings, {})

    def teacher(self) -> StageTask:
        """The first stage of every chain: the workload's network with its weights."""
        return self._candidates.teacher(self.space.baseline())

    def _measuring_settings(self, configuration: Configuration) -> dict[str, Any]:
        """The settings of the measurement, which belong to the machine as much as to the candidate.

        The baseline is served in other ways too: its throughput is that of the best.
        """
        serving, servings = self._serving(configuration), {}
        if configuration == self.space.baseline():
            plans = dict.fromkeys((serving, *serving_plans(self.space)))
            servings = {"servings": [asdict(plan) for plan in plans]}
        return {
            **self._timing_settings(SEARCHING_S),
            **self._calls(),
            "serving": asdict(serving),
            **servings,
            **({"packs": True} if self._candidates.packs(configuration) else {}),
            "splits": ["validation"],
        }

    def _timing_settings(self, budget_s: float) -> dict[str, Any]:
        machine, threads = self.space.environment, self._serving(self.space.baseline()).threads
        tuned = {"baseline_tuned": True} if machine.baseline_tuned else {}
        return {"baseline_threads": threads, **tuned, **self._batch(), "budget_s": budget_s, "device": machine.device}

    def _evaluating(self, configuration: Configuration, inputs: Mapping[str, str]) -> StageTask:
        machine = self.space.environment
        tuned = {"baseline_tuned": True} if machine.baseline_tuned else {}
        settings = {"splits": ["validation"], "device": machine.device, **tuned}
        return self.task("evaluating", configuration, settings, inputs)

    def _batch(self) -> dict[str, int]:
        batch = self.space.environment.call_batch
        return {} if batch is None else {"batch": batch}

    def _calls(self) -> dict[str, int]:
        return {"least_calls": self.least_calls} if self.least_calls else {}

    def _serving(self, configuration: Configuration) -> ServingPlan:
        return self.plan(configuration, (Stage.SERVE,), ServingPlan())

    def _baseline_task(self, stage: str, settings: Mapping[str, Any], inputs: Mapping[str, str]) -> StageTask:
        """A stage of the whole study, which reads the teacher too and has the machine to itself."""
        inputs = {**inputs, "teacher": self.teacher().key}
        return self.task(stage, self.space.baseline(), settings, inputs, exclusive=True)

    @cached_property
    def _candidates(self) -> CandidateStages:
        return CandidateStages(self.space, self.facts, self.workload, self.seed, self.rungs)


def _writes_artifact(chain: tuple[StageTask, ...]) -> StageTask:
    return next(task for task in chain if task.stage == "lowering")


def _lowered(lowering: tuple[StageTask, ...]) -> dict[str, str]:
    """The inputs of a measurement that the stages of a lowering give: the artifact, and the network it is made from."""
    return {"parent": lowering[-1].key, "network": lowering[0].inputs["parent"]}
