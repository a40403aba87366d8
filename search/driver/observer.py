"""Who is told what happens in a search: the observer, and the one that serves the progress display and MLflow."""

from collections.abc import Callable, Sequence
from typing import Protocol

from dashboards.baseline_text import baseline_text
from dashboards.formatting import configuration_text, quality_text, times
from dashboards.progress import Progress
from dashboards.tracking.tracker import Tracker, TrialResult
from runners.metric import ACCURACY, QualityMetric
from search.study.study import TrialRecord
from spaces.configuration import Configuration


class Observer(Protocol):
    """Who is told what happens: the progress display and the tracking, one after the other."""

    def stage_started(self, trial: int | None, stage: str) -> None:
        """A stage of ``trial`` was sent to the runner; None is a candidate that is timed untrained."""

    def stage_ended(self, trial: int | None, stage: str, seconds: float, from_store: bool) -> None:
        """It came back."""

    def trial_ended(self, trial: TrialRecord, front: Sequence[TrialRecord], hypervolume: float, seconds: float) -> None:
        """A trial was told to Optuna; ``front`` and ``hypervolume`` are those with it."""

    def note(self, text: str) -> None:
        """Something that a person should know."""


class Observers:
    """The `Observer` that passes everything on to a progress display and a tracker.

    Args:
        progress: What a person sees.
        tracker: What MLflow keeps.
        baseline: The configuration against which others are described.
        metric: What an accuracy is.
        live_front: Is called with the numbers of the front's members after each trial; None calls nothing.
    """

    def __init__(
        self,
        progress: Progress,
        tracker: Tracker,
        baseline: Configuration,
        metric: QualityMetric = ACCURACY,
        live_front: Callable[[frozenset[int]], None] | None = None,
    ) -> None:
        self._progress = progress
        self._tracker = tracker
        self._baseline = baseline
        self._metric = metric
        self._live_front = live_front

    def stage_started(self, trial: int | None, stage: str) -> None:
        """For the progress display."""
        self._progress.stage_started(trial, stage)

    def stage_ended(self, trial: int | None, stage: str, seconds: float, from_store: bool) -> None:
        """For the progress display."""
        self._progress.stage_ended(trial, stage, seconds, from_store)

    def trial_ended(self, trial: TrialRecord, front: Sequence[TrialRecord], hypervolume: float, seconds: float) -> None:
        """For both: one line on the screen, one child run in MLflow."""
        self._tracker.trial_finished(trial_result(trial, len(front), hypervolume, seconds, self._metric))
        if self._live_front is not None:
            self._live_front(frozenset(member.number for member in front))
        self._progress.trial_ended(trial.number, self._line(trial))
        self._progress.front_is(hypervolume, len(front), self._line(front[0]) if front else "")

    def note(self, text: str) -> None:
        """For the progress display."""
        self._progress.note(text)

    def _line(self, trial: TrialRecord) -> str:
        text = configuration_text(trial.configuration or {}, self._baseline)
        if trial.number == 0 and trial.measurement:
            shown = {"configuration": trial.configuration or {}, "measurement": trial.measurement}
            text = f"baseline: {baseline_text(shown)}"
        if not trial.measurement:
            return f"{trial.state}: {trial.failure} ({text})"
        figures = trial.measurement
        doubt = f" (unstable: {figures['unstable']})" if figures["unstable"] else ""
        return f"{times(figures['speedup'])}x, {quality_text(figures['accuracy'], self._metric)}{doubt}: {text}"


def trial_result(
    trial: TrialRecord, front_size: int, hypervolume: float, seconds: float, metric: QualityMetric
) -> TrialResult:
    """What MLflow is told of a trial, with the size and the hypervolume of the front after it."""
    stopped = trial.state == "stopped"
    return TrialResult(
        trial.number,
        dict(trial.configuration or {}),
        trial.measurement,
        failure=None if stopped else trial.failure,
        stopped=trial.failure if stopped else None,
        hypervolume=hypervolume,
        seconds=seconds,
        accuracies=trial.accuracies,
        losses=trial.losses,
        front_size=front_size,
        metric=metric.to_json(),
    )
