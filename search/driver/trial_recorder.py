"""How each trial ended, recorded in the study."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from optuna.trial import TrialState

from runners.measuring.measurement import Measurement, figures_of
from runners.measuring.paired_timing import CALLS_FOR_P99
from runners.quality.answers import answers_of_stage
from search.driver.accuracy_drop import AnswersBySplit, drop_figures
from search.driver.runs import TrialRun
from search.driver.search_context import SearchContext
from search.objectives.trial_targets import TrialTargets
from search.study.attributes import (
    ANSWERS,
    COMPETED,
    EPOCH_LOSSES,
    FAILURE,
    MEASUREMENT,
    RUNGS,
    SECONDS,
    SPEED,
    STAGES,
    STOPPED,
    TIMES,
)
from search.study.study import TrialRecord, answers_of

_WHY_UNKNOWN = {
    "latency_p99_ms": f"is not known, as fewer than {CALLS_FOR_P99:,} calls were timed",
    "device_p50_ms": "is not known, as the candidate does not run on an accelerator",
}


def why_unknown(name: str) -> str:
    """Why the figure ``name`` of a measured candidate is None."""
    return f"{name} {_WHY_UNKNOWN.get(name, 'was not measured on this machine')}"


class TrialRecorder:
    """Tells Optuna how trials ended, with everything that a later driver or a reader needs to know of them.

    Args:
        search: The study and what is optimised.
        targets: Know the baseline.
    """

    def __init__(self, search: SearchContext, targets: TrialTargets) -> None:
        self._search = search
        self._targets = targets

    def complete(self, run: TrialRun, result: Mapping[str, Any]) -> TrialRecord:
        """The record of a measured trial, which is told to Optuna.

        Args:
            run: Its last stage is done.
            result: The figures of that stage.

        Raises:
            ValueError: A figure is missing or not finite; nothing is told.
        """
        answers = answers_of_stage(result).get("validation")
        measurement = self._measurement(run, result)
        self._require_measured(measurement)
        values = [float(getattr(measurement, objective.name)) for objective in self._search.objectives]
        figures = measurement.to_json()
        run.trial.set_user_attr(MEASUREMENT, figures)
        if answers is not None:
            run.trial.set_user_attr(ANSWERS, answers.to_json())
        run.trial.set_user_attr(STAGES, run.keys)
        self._record_stages(run)
        for constraint in self._search.constraints:
            run.trial.set_constraint(str(constraint), constraint.violation(figures))
        self._search.study.tell(run.trial, values)  # last: a trial that is told has all of its attributes
        return _record(run, "complete", measurement=figures, answers=answers)

    def fail(self, run: TrialRun, failure: str) -> TrialRecord:
        """The record of a trial that could not be measured, which is told to Optuna as failed."""
        self._record_stages(run)
        run.trial.set_user_attr(FAILURE, failure)
        self._search.study.tell(run.trial, state=TrialState.FAIL)
        return _record(run, "failed", failure=failure)

    def note_failed_baseline(self, run: TrialRun, failure: str) -> None:
        """Record why the baseline failed and tell Optuna nothing: a driver that goes on runs trial 0 again."""
        self._record_stages(run)
        run.trial.set_user_attr(FAILURE, failure)

    def stop(self, run: TrialRun, reason: str) -> TrialRecord:
        """The record of a trial that was stopped before it was measured, which is told to Optuna as pruned."""
        self._record_stages(run)
        run.trial.set_user_attr(SPEED, dict(run.speed or {}))
        run.trial.set_user_attr(STOPPED, reason)
        self._search.study.tell(run.trial, state=TrialState.PRUNED)
        return _record(run, "stopped", failure=reason)

    def _measurement(self, run: TrialRun, result: Mapping[str, Any]) -> Measurement:
        measurement = Measurement.from_json(figures_of(result))
        baseline = self._targets.baseline or vars(measurement)
        reference = self._baseline_answers if run.number else {}
        metric, answers = self._targets.metric, answers_of_stage(result)
        return replace(measurement, **drop_figures(vars(measurement), baseline, answers, reference, metric))

    @cached_property
    def _baseline_answers(self) -> AnswersBySplit:
        """What the baseline answered, by split; it is complete before any other trial."""
        answers = answers_of(self._search.study.get_trials(deepcopy=False)[0])
        return {"validation": answers} if answers else {}

    def _require_measured(self, measurement: Measurement) -> None:
        """Raise `ValueError` where an objective or a constraint needs a quantity that was not measured."""
        roles = {constraint.quantity: "a constraint" for constraint in self._search.constraints}
        roles.update({objective.name: "an objective" for objective in self._search.objectives})
        for name, role in roles.items():
            if getattr(measurement, name) is None:
                raise ValueError(f"{why_unknown(name)}, so it cannot be {role}")

    def _record_stages(self, run: TrialRun) -> None:
        """Keep what the stages took and when they ran, and the accuracies and losses at the rungs."""
        run.trial.set_user_attr(SECONDS, {name: round(seconds, 3) for name, seconds in run.seconds.items()})
        run.trial.set_user_attr(TIMES, run.times)
        if run.training.accuracies:
            run.trial.set_user_attr(RUNGS, run.training.accuracies)
        if run.training.losses:
            run.trial.set_user_attr(EPOCH_LOSSES, run.training.losses)
        if run.training.competed:
            run.trial.set_user_attr(COMPETED, {"levels": run.training.levels, "losses": run.training.competed})


def _record(run: TrialRun, state: str, **known: Any) -> TrialRecord:
    accuracies, losses = dict(run.training.accuracies), dict(run.training.losses)
    return TrialRecord(run.number, state, run.configuration, accuracies=accuracies, losses=losses, **known)
