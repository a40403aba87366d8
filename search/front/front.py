"""The front of a study as one document: what the table shows, MLflow keeps, and ``export`` picks from."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from search.objectives.constraint import Constraint
from search.objectives.loss_table import figure_of, loss_table
from search.objectives.objective import Objective, find_objectives
from search.objectives.pareto_front import hypervolume, nondominated, tied
from search.study.study import TrialRecord, record, records, resolution_of
from spaces.errors import WorkFailed

Document = dict[str, Any]
Finals = Mapping[int, Mapping[str, Any]]


def front_document(study: optuna.Study, run_ids: Mapping[int, str] | None = None) -> Document:
    """The JSON of ``frontrunner front``: baseline, front and hypervolume of ``study``.

    A member of the final front is shown with its final measurement; its figures during the search stand beside
    it under ``searched``. Its ``ties`` are the members that it cannot be told apart from. ``resolution`` is the
    smallest share by which two speeds must differ to be believed; None where the study has no calibration, and
    ``resolution_doubt`` says why not, or why it is not to be trusted. ``stopped`` counts the trials that were left
    before their end, and ``infeasible`` those that were trained and measured in vain, because they miss a constraint.
    """
    attributes = study.user_attrs
    settings = attributes["settings"]
    finals = {int(number): figures for number, figures in attributes.get("final", {}).items()}
    objectives = find_objectives(settings["objectives"])
    constraints = [Constraint.parse(text) for text in settings["constraints"]]
    calibration, resolution = attributes.get("calibration", {}), resolution_of(attributes)
    trials = study.get_trials(deepcopy=False)
    states = [trial.state for trial in trials]
    running = states.count(TrialState.RUNNING) + states.count(TrialState.WAITING)
    complete = [trial for trial, state in zip(trials, states, strict=True) if state is TrialState.COMPLETE]
    figures = {trial.number: trial.user_attrs.get("measurement") for trial in complete}
    rows, volume = _front(figures, objectives, constraints, finals, resolution)
    members = [record(complete[row]) for row in rows]
    baseline = next((record(trial) for trial in complete if trial.number == 0), None)
    ties = ties_of(members, baseline, objectives, finals, resolution)
    return {
        "study": study.study_name,
        "status": attributes.get("status", "running"),
        "workload": attributes["facts"]["name"],
        "metric": attributes["facts"]["metric"],
        "device": attributes["environment"]["device"],
        "trials": len(trials) - running,
        "failed": states.count(TrialState.FAIL),
        "stopped": states.count(TrialState.PRUNED),
        "infeasible": sum(not feasible(known or {}, constraints) for number, known in figures.items() if number),
        "objectives": [objective.to_json() for objective in objectives],
        "constraints": [str(constraint) for constraint in constraints],
        "resolution": calibration.get("resolution"),
        "resolution_doubt": calibration.get("unstable", ""),
        "hypervolume": volume,
        "baseline": {**measured(baseline, finals, run_ids), "ties": ties.get(0, [])} if baseline else None,
        "front": [{**measured(trial, finals, run_ids), "ties": ties[trial.number]} for trial in members],
    }


def front_of(
    complete: Sequence[TrialRecord],
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    finals: Finals | None = None,
    resolution: float = 0.0,
) -> tuple[list[TrialRecord], float]:
    """The feasible trials that nothing dominates for certain, fastest first, and the hypervolume of the estimates.

    A trial falls only where another is at least as good in every objective and beyond both intervals, and the
    ``resolution`` of speeds, in one. Where final measurements exist, only trials that have one take part, with
    those figures; one whose figure in an objective is not known finally takes no part.
    """
    figures = {trial.number: trial.measurement for trial in complete}
    rows, volume = _front(figures, objectives, constraints, finals or {}, resolution)
    return [complete[row] for row in rows], volume


def _front(
    searched: Mapping[int, Mapping[str, Any] | None],
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    finals: Finals,
    resolution: float,
) -> tuple[list[int], float]:
    """`front_of` the complete trials' measurements by number; the members as places in ``searched``."""
    reference = finals.get(0) or searched.get(0)
    shown = [finals.get(number) if finals else figures for number, figures in searched.items()]
    needed = [figure_of(objective.name) for objective in objectives] if finals else []
    known = {row: one for row, one in enumerate(shown) if one and None not in map(one.get, needed)}
    rows = [row for row, one in known.items() if feasible(one, constraints)]
    if not rows or not reference:
        return [], 0.0
    figures = [known[row] for row in rows]
    table = loss_table(objectives, figures, reference, resolution)
    members = np.flatnonzero(nondominated(table.points, table.best, table.worst)).tolist()
    fastest_first = sorted(members, key=lambda member: -figures[member]["speedup"])
    return [rows[member] for member in fastest_first], hypervolume(table.points[members])


def ties_of(
    members: Sequence[TrialRecord],
    baseline: TrialRecord | None,
    objectives: Sequence[Objective],
    finals: Finals,
    resolution: float = 0.0,
) -> dict[int, list[int]]:
    """For each member of a front, by number, those that it cannot be told apart from in any objective."""
    if not members or baseline is None:
        return {}
    figures = [finals.get(trial.number) or trial.measurement or {} for trial in members]
    table = loss_table(objectives, figures, finals.get(0) or baseline.measurement or {}, resolution)
    numbers = [trial.number for trial in members]
    same = tied(table.best, table.worst)
    return {number: sorted(numbers[i] for i in row) for number, row in zip(numbers, same, strict=True)}


def feasible(measurement: Mapping[str, Any], constraints: Sequence[Constraint]) -> bool:
    """Whether every constraint holds; one on a figure that is not known does not."""
    return all(constraint.holds(measurement) for constraint in constraints)


def measured(trial: TrialRecord, finals: Finals, run_ids: Mapping[int, str] | None = None) -> Document:
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
