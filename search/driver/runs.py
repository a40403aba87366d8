"""What the driver has under way: configurations that are timed untrained, and trials.

Either is a series of stages. `follow` takes the outcome of the current stage and gives the step that comes after it.
"""

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna

from runners.chains.chain import Chains
from runners.measuring.candidate_figures import EPOCH_LOSSES
from runners.measuring.measurement import figures_of, without_accuracy
from runners.runner import StageOutcome, StageTask
from search.driver.early_stopping import EarlyStopping, TrainingProgress
from search.study.stage_times import StageTime, stage_time
from spaces.configuration import Configuration

TRAINING = "training"
"""The stage that is one level of a training."""
WHATEVER_THE_WEIGHTS = ("teacher", "transforming", "quantising", "lowering")
"""Stages of a screening that fail for a trained network as for an untrained one, unless their failure says otherwise:
they look at the layers, or export the graph, so that a training would be lost. The others run the network on images,
where new weights may give activations that are not finite, or too small."""


@dataclass(frozen=True)
class NextStage:
    """The run goes on; its current stage is the next one now."""


@dataclass(frozen=True)
class Unscreened:
    """A trial could not be timed before its training, and goes on with the stages of a trial that is timed after it."""

    reason: str


@dataclass(frozen=True)
class Stopped:
    """A trial ends before its last stage, because it is not worth going on."""

    reason: str


@dataclass(frozen=True)
class Failed:
    """A stage failed, and the run ends with it."""

    reason: str


@dataclass(frozen=True)
class Finished:
    """The last stage is done; ``result`` has its figures."""

    result: Mapping[str, Any]


class _Stages:
    """Stages that are carried out one after the other.

    Attributes:
        configuration: The choices of the candidate.
        seconds: What its stages took by their names, without those whose result was in the store.
        times: When these stages ran.
    """

    def __init__(self, configuration: Configuration, tasks: tuple[StageTask, ...]) -> None:
        self.configuration = configuration
        self.seconds: dict[str, float] = defaultdict(float)
        self.times: list[StageTime] = []
        self._tasks = tasks
        self._position = 0

    @property
    def task(self) -> StageTask:
        """The current stage."""
        return self._tasks[self._position]

    def _count(self, outcome: StageOutcome) -> None:
        if ran := stage_time(self.task.stage, outcome):
            self.seconds[self.task.stage] += outcome.seconds
            self.times.append(ran)

    def _next(self, outcome: StageOutcome) -> NextStage | Finished:
        if self._position + 1 == len(self._tasks):
            return Finished(outcome.result)
        self._position += 1
        return NextStage()


class ScreeningRun(_Stages):
    """A configuration that is timed untrained, and is no trial.

    Args:
        configuration: The choices of the candidate.
        tasks: The stages of its screening.
    """

    number = None

    def follow(self, outcome: StageOutcome) -> NextStage | Failed | Finished:
        """What comes after the current stage has ended with ``outcome``."""
        self._count(outcome)
        return Failed(outcome.failure) if outcome.failure is not None else self._next(outcome)


class TrialRun(_Stages):
    """A trial, from its first stage to its measurement.

    Args:
        trial: Optuna's live trial.
        configuration: The choices of the candidate.
        chains: Gives its stages.
        screened: Whether to time it before its training, where that can be done.

    Attributes:
        trial: The same.
        number: The number of the trial.
        speed: The figures of its screening; None before that is done, and where there is none.
        training: How far its training has come.
    """

    def __init__(self, trial: optuna.Trial, configuration: Configuration, chains: Chains, *, screened: bool) -> None:
        screening = chains.screening(configuration) if screened else ()
        chain = chains.chain(configuration, screened=bool(screening))
        super().__init__(configuration, (*screening, *chain))
        self.trial = trial
        self.number: int = trial.number
        self.speed: Mapping[str, Any] | None = None
        self.training = TrainingProgress(trial.number, {t.settings["to_epoch"]: t.key for t in training_of(chain)})
        self._chains = chains
        self._screening_stages = len(screening)
        self._begun = time.monotonic()

    @property
    def keys(self) -> dict[str, str]:
        """The key of the last stage of each name."""
        return {task.stage: task.key for task in self._tasks}

    @property
    def age_s(self) -> float:
        """Seconds since the trial was asked for."""
        return time.monotonic() - self._begun

    def follow(
        self, outcome: StageOutcome, stopping: EarlyStopping
    ) -> NextStage | Unscreened | Stopped | Failed | Finished:
        """What comes after the current stage has ended with ``outcome``; ``stopping`` says whether to stop here."""
        self._count(outcome)
        if self._position < self._screening_stages:
            return self._follow_screening(outcome, stopping)
        if outcome.failure is not None:
            return Failed(outcome.failure)
        if self.task.stage == TRAINING or self.number == 0:  # the baseline is the teacher
            losses = outcome.result.get(EPOCH_LOSSES, {})
            self.training.losses |= {int(epochs): loss for epochs, loss in losses.items()}
        if self.task.stage == TRAINING:
            reason = stopping.after_level(self.training, outcome.result, self.speed)
            if reason is not None:
                return Stopped(reason)
        return self._next(outcome)

    def _follow_screening(
        self, outcome: StageOutcome, stopping: EarlyStopping
    ) -> NextStage | Unscreened | Stopped | Failed | Finished:
        if outcome.failure is not None:
            if outcome.failure_kind == "candidate" and self.task.stage in WHATEVER_THE_WEIGHTS:
                return Failed(outcome.failure)
            return self._without_screening(outcome.failure)
        if self._position + 1 == self._screening_stages:
            self.speed = without_accuracy(figures_of(outcome.result))
            reason = stopping.after_screening(self.speed)
            if reason is not None:
                return Stopped(reason)
            if stopping.would_stop_if_trusted(self.speed):
                return self._without_screening(outcome.result["unstable"])
        return self._next(outcome)

    def _without_screening(self, reason: str) -> Unscreened:
        self._tasks = self._chains.chain(self.configuration)
        self._position = self._screening_stages = 0
        self.speed = None
        return Unscreened(reason)


Run = ScreeningRun | TrialRun


def training_of(tasks: tuple[StageTask, ...]) -> tuple[StageTask, ...]:
    """The levels of training among the stages of a chain; empty where nothing is trained."""
    return tuple(task for task in tasks if task.stage == TRAINING)
