"""The front of a study as one document: what the table shows, MLflow keeps, and ``export`` picks from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from runners.metric import QualityMetric
from runners.quality.generalisation import generalisation_gaps
from search.front.front import MeasurementsByTrial, find_ties, front_numbers
from search.front.knee import knee
from search.front.runtime_alone import runtime_alone
from search.objectives.constraint import Constraint, is_feasible
from search.objectives.objective import Objective, find_objectives
from search.study.attributes import (
    BASELINE,
    BEGUN,
    ENVIRONMENT,
    FACTS,
    FINAL,
    MEASUREMENT,
    RUNTIME_ALONE,
    SETTINGS,
    STATUS,
    TIMING_RESOLUTION,
)
from search.study.study import (
    TrialRecord,
    answers_of,
    final_answers_of,
    metric_of,
    record,
    records,
    resolution_of,
    state_of,
)
from spaces.environment import Environment
from spaces.space_document import make_space, tries_everything
from spaces.unavailable import unavailable

Document = dict[str, Any]


def all_trials(study: optuna.Study, run_ids: Mapping[int, str] | None = None) -> Document:
    """``all`` trials as `trial_documents` gives them, and what is ``off`` on the machine of the study.

    Args:
        study: As in `front_document`.
        run_ids: As there.
    """
    space = make_space(study.user_attrs[SETTINGS]["space"], Environment.from_json(study.user_attrs[ENVIRONMENT]))
    return {"all": trial_documents(study, run_ids), "off": [asdict(entry) for entry in unavailable(space)]}


def front_document(study: optuna.Study, run_ids: Mapping[int, str] | None = None) -> Document:
    """The JSON of ``frontrunner front``: baseline, front and hypervolume of ``study``.

    A member of the final front is shown with its final measurement; its measurement during the search stands beside
    it under ``searched``. Its ``ties`` are the members than which it is certainly better or worse in no objective (see
    `search.objectives.dominance`); ``ties_test`` are the same by the accuracies on the test split, None without them.
    ``everything`` is whether each configuration of the space is tried once, and the figures are those of the search.
    ``resolution`` is the smallest relative difference in speed that is significant; None where the study has no
    calibration, and ``resolution_doubt`` says why not, or why it is not to be trusted. ``stopped`` counts the trials
    that were stopped early, and ``infeasible`` the complete ones that violate a constraint. ``baseline_by_threads`` has
    the speed of the baseline with each number of threads that was tried, over that with the fewest; empty where there
    was nothing to choose. ``knee`` is the number of the member that `search.front.knee` names, or None. ``begun`` and
    ``ended`` are the local times at which the study began and its last trial ended, or None. ``runtime_alone`` is
    the fastest trial that changes the runtime and the threads alone (see `search.front.runtime_alone`), or None.

    Args:
        study: A study that `search.study.study.make_study` made.
        run_ids: MLflow's run of each trial.
    """
    attributes = study.user_attrs
    settings, timing = attributes[SETTINGS], attributes.get(TIMING_RESOLUTION, {})
    metric = metric_of(attributes)
    objectives = find_objectives(settings["objectives"], metric)
    constraints = [Constraint.parse(text) for text in settings["constraints"]]
    return {
        "study": study.study_name,
        "status": attributes.get(STATUS, "running"),
        "workload": attributes[FACTS]["name"],
        **metric.to_json(),
        "device": attributes[ENVIRONMENT]["device"],
        **_times(study),
        **_counts(study, constraints),
        "objectives": [objective.to_json() for objective in objectives],
        "constraints": [str(constraint) for constraint in constraints],
        "serve": settings.get("serve"),
        "resolution": timing.get("resolution"),
        "resolution_doubt": timing.get("unstable", ""),
        "everything": tries_everything(settings["space"]),
        "baseline_by_threads": attributes.get(BASELINE, {}).get("by_threads", {}),
        "runtime_alone": _runtime_alone(study, _final_measurements(study), run_ids),
        **_front(study, objectives, constraints, run_ids),
    }


def _times(study: optuna.Study) -> Document:
    """When the study began and its last trial ended, as ``2026-11-30T12:22:16``; older ones began with a trial."""
    trials = study.get_trials(deepcopy=False)
    first = min((trial.datetime_start for trial in trials if trial.datetime_start), default=None)
    ended = max((trial.datetime_complete for trial in trials if trial.datetime_complete), default=None)
    return {"begun": study.user_attrs.get(BEGUN) or _in_text(first), "ended": _in_text(ended)}


def _in_text(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None


def _counts(study: optuna.Study, constraints: Sequence[Constraint]) -> Document:
    """How many trials have ended, and how."""
    trials = study.get_trials(deepcopy=False)
    states = [state_of(trial) for trial in trials]
    measured = [trial.user_attrs.get(MEASUREMENT) or {} for trial in trials if _is_complete(trial) and trial.number]
    return {
        "trials": len(states) - states.count("running"),
        "failed": states.count("failed"),
        "stopped": states.count("stopped"),
        "infeasible": sum(not is_feasible(known, constraints) for known in measured),
    }


def _front(
    study: optuna.Study,
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    run_ids: Mapping[int, str] | None,
) -> Document:
    """The hypervolume, the baseline and the members of the front."""
    attributes, finals = study.user_attrs, _final_measurements(study)
    resolution, finally_answered = resolution_of(attributes), final_answers_of(attributes)
    complete = {trial.number: trial for trial in study.get_trials(deepcopy=False) if _is_complete(trial)}
    measurements: MeasurementsByTrial = {n: trial.user_attrs.get(MEASUREMENT) or {} for n, trial in complete.items()}
    if tries_everything(attributes[SETTINGS]["space"]):
        measurements = _stable(measurements)
    answers = {n: finally_answered.get(n) if n in finals else answers_of(trial) for n, trial in complete.items()}
    numbers, volume = front_numbers(measurements, objectives, constraints, finals, resolution, answers)
    shown = {number: finals.get(number) or measurements[number] for number in numbers}
    baseline = finals.get(0) or measurements.get(0, {})
    ties = find_ties(shown, baseline, objectives, resolution, answers)
    tested = {n: _on_test_split(figures) for n, figures in shown.items() if figures.get("accuracy_test") is not None}
    answers_test = final_answers_of(attributes, "test")
    ties_test = find_ties(tested, _on_test_split(baseline), objectives, resolution, answers_test)

    def member(number: int) -> Document:
        shared = {"ties": ties.get(number, []), "ties_test": ties_test.get(number)}
        return {**trial_document(record(complete[number]), finals, metric_of(attributes), run_ids), **shared}

    members = [member(number) for number in numbers]
    return {
        "hypervolume": volume,
        "baseline": member(0) if 0 in complete else None,
        "front": members,
        "knee": knee(members, objectives, baseline)["trial"] if members else None,
    }


def _stable(measurements: MeasurementsByTrial) -> MeasurementsByTrial:
    """The baseline and the stable ones, or all where there is no other stable one.

    Where nothing is measured again, an unstable timing must not take the place of one that can be trusted.
    """
    stable = {number: one for number, one in measurements.items() if not number or not one.get("unstable")}
    return stable if len(stable) > 1 else measurements


def _is_complete(trial: FrozenTrial) -> bool:
    return trial.state is TrialState.COMPLETE


def _runtime_alone(
    study: optuna.Study, finals: MeasurementsByTrial, run_ids: Mapping[int, str] | None
) -> Document | None:
    """`trial_document` of the trial that `search.front.runtime_alone` names, timed with the front where it was."""
    complete = [trial for trial in records(study) if trial.state == "complete"]
    if not complete or complete[0].number:
        return None
    alone = runtime_alone(complete, complete[0].configuration or {})
    if alone is None:
        return None
    timed = study.user_attrs.get(RUNTIME_ALONE, {})
    if alone.number == timed.get("trial") and alone.number not in finals:
        finals = {**finals, alone.number: {**(alone.measurement or {}), **timed["figures"]}}
    return trial_document(alone, finals, metric_of(study.user_attrs), run_ids)


def trial_document(
    trial: TrialRecord, finals: MeasurementsByTrial, metric: QualityMetric, run_ids: Mapping[int, str] | None = None
) -> Document:
    """One trial as the front document shows it: choices, measurement (final where there is one) and MLflow run.

    ``generalisation_gap`` is that of `runners.quality.generalisation`.
    """
    measurement = dict(finals.get(trial.number, trial.measurement or {}))
    return {
        "trial": trial.number,
        "configuration": dict(trial.configuration or {}),
        "measurement": measurement,
        "generalisation_gap": generalisation_gaps(measurement, metric),
        "unstable": bool(measurement.get("unstable")),
        "searched": dict(trial.measurement or {}) if trial.number in finals else None,
        "run_id": (run_ids or {}).get(trial.number),
    }


def trial_documents(study: optuna.Study, run_ids: Mapping[int, str] | None = None) -> list[Document]:
    """`trial_document` of every trial that has its choices, with its ``state`` and ``failure``.

    A trial whose driver died before it had chosen a configuration is left out: a driver that goes on chooses one.
    """
    finals, metric = _final_measurements(study), metric_of(study.user_attrs)
    return [
        {**trial_document(trial, finals, metric, run_ids), "state": trial.state, "failure": trial.failure}
        for trial in records(study)
        if trial.configuration is not None
    ]


def _on_test_split(measurement: Mapping[str, Any]) -> Mapping[str, Any]:
    """``measurement`` with the accuracy on the test split in the place of that on the validation split."""
    accuracy = {"accuracy": measurement.get("accuracy_test"), "accuracy_ci95": measurement.get("accuracy_test_ci95")}
    return {**measurement, **accuracy}


def _final_measurements(study: optuna.Study) -> MeasurementsByTrial:
    return {int(number): measurement for number, measurement in study.user_attrs.get(FINAL, {}).items()}
