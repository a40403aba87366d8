"""The front of a study as one document: what the table shows, MLflow keeps, and ``export`` picks from."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from search.constraints import Constraint
from search.objectives import Objective, find_objectives, loss_ends, losses
from search.pareto_front import hypervolume, nondominated, tied
from search.study import TrialRecord, believable, records
from spaces.errors import WorkFailed

Document = dict[str, Any]


def front_document(study: optuna.Study, run_ids: Mapping[int, str] | None = None) -> Document:
    """The JSON of ``frontrunner front``: baseline, front and hypervolume of ``study``.

    A member of the final front is shown with its final measurement; its figures during the search stand beside
    it under ``searched``. Its ``ties`` are the members that it cannot be told apart from. ``resolution`` is the
    smallest share by which two speeds must differ to be believed; None where the study has no calibration.
    """
    settings = study.user_attrs["settings"]
    finals = {int(number): figures for number, figures in study.user_attrs.get("final", {}).items()}
    trials = records(study)
    objectives = find_objectives(settings["objectives"])
    constraints = [Constraint.parse(text) for text in settings["constraints"]]
    complete = [trial for trial in trials if trial.state == "complete"]
    baseline = next((trial for trial in complete if trial.number == 0), None)
    resolution = believable(study)
    members, volume = front_of(complete, objectives, constraints, finals, resolution)
    ties = ties_of(members, baseline, objectives, finals, resolution)
    return {
        "study": study.study_name,
        "status": study.user_attrs.get("status", "running"),
        "workload": study.user_attrs["facts"]["name"],
        "metric": study.user_attrs["facts"]["metric"],
        "device": study.user_attrs["environment"]["device"],
        "trials": len([trial for trial in trials if trial.state != "running"]),
        "failed": len([trial for trial in trials if trial.state == "failed"]),
        "objectives": [objective.to_json() for objective in objectives],
        "constraints": [str(constraint) for constraint in constraints],
        "resolution": resolution if "resolution" in study.user_attrs.get("calibration", {}) else None,
        "hypervolume": volume,
        "baseline": {**measured(baseline, finals, run_ids), "ties": ties.get(0, [])} if baseline else None,
        "front": [{**measured(trial, finals, run_ids), "ties": ties[trial.number]} for trial in members],
    }


def front_of(
    complete: Sequence[TrialRecord],
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    finals: Mapping[int, Mapping[str, Any]] | None = None,
    resolution: float = 0.0,
) -> tuple[list[TrialRecord], float]:
    """The feasible trials that nothing dominates for certain, fastest first, and the hypervolume of the estimates.

    A trial falls only where another is at least as good in every objective and beyond both intervals, and the
    ``resolution`` of speeds, in one. Where final measurements exist, only trials that have one take part, with
    those figures.
    """
    finals = finals or {}
    shown = [trial for trial in complete if not finals or trial.number in finals]
    known: dict[int, Mapping[str, Any]] = {t.number: finals.get(t.number) or t.measurement or {} for t in shown}
    reference = known.get(0) or next((t.measurement or {} for t in complete if t.number == 0), {})
    taking_part = [t for t in complete if t.number in known and feasible(known[t.number], constraints)]
    if not taking_part or not reference:
        return [], 0.0
    points = np.array([losses(objectives, known[t.number], reference) for t in taking_part])
    best, worst = _ends([known[t.number] for t in taking_part], reference, objectives, resolution)
    members = [trial for trial, kept in zip(taking_part, nondominated(points, best, worst), strict=True) if kept]
    return sorted(members, key=lambda t: -known[t.number]["speedup"]), hypervolume(points)


def ties_of(
    members: Sequence[TrialRecord],
    baseline: TrialRecord | None,
    objectives: Sequence[Objective],
    finals: Mapping[int, Mapping[str, Any]],
    resolution: float = 0.0,
) -> dict[int, list[int]]:
    """For each member of a front, by number, those that it cannot be told apart from in any objective."""
    if not members or baseline is None:
        return {}
    figures = [finals.get(trial.number) or trial.measurement or {} for trial in members]
    reference = finals.get(0) or baseline.measurement or {}
    numbers = [trial.number for trial in members]
    same = tied(*_ends(figures, reference, objectives, resolution))
    return {number: sorted(numbers[i] for i in row) for number, row in zip(numbers, same, strict=True)}


def _ends(
    figures: Sequence[Mapping[str, Any]],
    reference: Mapping[str, Any],
    objectives: Sequence[Objective],
    resolution: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The losses at the better and at the worse ends, each ``(n_measurements, n_objectives)``."""
    ends = np.array([loss_ends(objectives, measurement, reference, resolution) for measurement in figures])
    return ends[:, 0], ends[:, 1]


def feasible(measurement: Mapping[str, Any], constraints: Sequence[Constraint]) -> bool:
    """Whether every constraint holds."""
    return all(constraint.violation(measurement) <= 0 for constraint in constraints)


def measured(
    trial: TrialRecord, finals: Mapping[int, Mapping[str, Any]], run_ids: Mapping[int, str] | None = None
) -> Document:
    """One trial as the document shows it."""
    figures = dict(finals.get(trial.number, trial.measurement or {}))
    return {
        "trial": trial.number,
        "configuration": dict(trial.configuration or {}),
        "measurement": figures,
        "unstable": bool(figures.get("unstable")),
        "searched": dict(trial.measurement or {}) if trial.number in finals else None,
        "run_id": (run_ids or {}).get(trial.number),
    }


def all_measured(study: optuna.Study, run_ids: Mapping[int, str] | None = None) -> list[Document]:
    """Every trial that has its choices as the document shows it, with ``state`` and ``failure``.

    A trial that was asked for and whose driver died before it had chosen is left out: a driver that goes on chooses.
    """
    finals = {int(number): figures for number, figures in study.user_attrs.get("final", {}).items()}
    return [
        {**measured(trial, finals, run_ids), "state": trial.state, "failure": trial.failure}
        for trial in records(study)
        if trial.configuration is not None
    ]


def nearest(trials: Sequence[TrialRecord], constraints: Sequence[Constraint]) -> TrialRecord:
    """The complete trial that misses the constraints by least, as a sum of shares of the bounds.

    Raises:
        WorkFailed: No trial is complete.
    """
    complete = [trial for trial in trials if trial.state == "complete" and trial.measurement]
    if not complete:
        raise WorkFailed("no trial finished, so there is no front; `frontrunner front NAME --all` shows why")
    return min(complete, key=lambda t: sum(max(0.0, c.violation(t.measurement or {})) for c in constraints))
