"""What came of each trial, written to the study."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from optuna.trial import TrialState

from runners.measuring.measurement import Measurement, figures_of
from runners.measuring.paired_timing import CALLS_FOR_P99
from search.driver.candidate import Candidate
from search.driver.search_context import SearchContext
from search.objectives.trial_targets import TrialTargets
from search.study.study import TrialRecord

_UNKNOWN = {
    "latency_p99_ms": f"is not known, as fewer than {CALLS_FOR_P99:,} calls were timed",
    "device_p50_ms": "is not known, as the candidate does not run on an accelerator",
}


def why_unknown(name: str) -> str:
    """Why the figure ``name`` of a measured candidate is None."""
    return f"{name} {_UNKNOWN.get(name, 'was not measured on this machine')}"


class TrialRecorder:
    """Tells Optuna how trials ended, with everything that a later driver or a reader needs to know of them.

    Args:
        search: The study and what is optimised.
        lessons: Know the baseline.
    """

    def __init__(self, search: SearchContext, targets: TrialTargets) -> None:
        self._search = search
        self._targets = targets

    def complete(self, candidate: Candidate, result: Mapping[str, Any]) -> TrialRecord:
        """Tell a measured trial.

        Args:
            candidate: A trial whose last stage is done.
            result: The figures of that stage.

        Raises:
            ValueError: A figure is missing or not finite; nothing is told.
        """
        assert candidate.trial is not None
        measurement = self._measurement(result)
        self._require_measured(measurement)
        values = [float(getattr(measurement, objective.name)) for objective in self._search.objectives]
        figures, trial = measurement.to_json(), candidate.trial
        trial.set_user_attr("measurement", figures)
        trial.set_user_attr("stages", {task.stage: task.key for task in candidate.tasks})
        self._keep_course(candidate)
        for constraint in self._search.constraints:
            trial.set_constraint(str(constraint), constraint.violation(figures))
        self._search.study.tell(trial, values)  # last: a trial that is told has all of its attributes
        return TrialRecord(trial.number, "complete", candidate.configuration, figures)

    def fail(self, candidate: Candidate, failure: str) -> TrialRecord:
        """Tell a trial that could not be measured, and why."""
        assert candidate.trial is not None
        self._keep_course(candidate)
        candidate.trial.set_user_attr("failure", failure)
        self._search.study.tell(candidate.trial, state=TrialState.FAIL)
        return TrialRecord(candidate.trial.number, "failed", candidate.configuration, failure=failure)

    def stop(self, candidate: Candidate, reason: str) -> TrialRecord:
        """Tell a trial that was stopped before it was measured, and why; to Optuna it is pruned."""
        assert candidate.trial is not None
        self._keep_course(candidate)
        candidate.trial.set_user_attr("speed", dict(candidate.speed or {}))
        candidate.trial.set_user_attr("stopped", reason)
        self._search.study.tell(candidate.trial, state=TrialState.PRUNED)
        return TrialRecord(candidate.trial.number, "stopped", candidate.configuration, failure=reason)

    def _measurement(self, result: Mapping[str, Any]) -> Measurement:
        measurement = Measurement.from_json(figures_of(result))
        reference = self._targets.baseline.get("accuracy", measurement.accuracy)
        return replace(measurement, accuracy_drop=reference - measurement.accuracy)

    def _require_measured(self, measurement: Measurement) -> None:
        """Raise `ValueError` where an objective or a constraint needs a quantity that was not measured."""
        roles = {constraint.quantity: "a constraint" for constraint in self._search.constraints}
        roles.update({objective.name: "an objective" for objective in self._search.objectives})
        for name, role in roles.items():
            if getattr(measurement, name) is None:
                raise ValueError(f"{why_unknown(name)}, so it cannot be {role}")

    def _keep_course(self, candidate: Candidate) -> None:
        """Keep what the stages took, and how the trial fared at its rungs."""
        assert candidate.trial is not None
        seconds = {name: round(took, 3) for name, took in candidate.seconds.items()}
        candidate.trial.set_user_attr("seconds", seconds)
        if candidate.rungs:
            candidate.trial.set_user_attr("rungs", candidate.rungs)
        if candidate.competed:
            competed = {"levels": candidate.levels, "losses": candidate.competed}
            candidate.trial.set_user_attr("competed", competed)
