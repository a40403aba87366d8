"""The Pareto front of a study's trials: who is on it, who is tied, and which infeasible trial comes closest."""

from collections.abc import Mapping, Sequence
from typing import Any

from runners.quality.answers import Answers
from search.objectives.constraint import Constraint, is_feasible
from search.objectives.dominance import tied, undominated
from search.objectives.loss_table import compared_quantity, loss_table
from search.objectives.objective import Objective
from search.objectives.pareto_front import hypervolume
from search.study.study import TrialRecord
from spaces.errors import WorkFailed

MeasurementsByTrial = Mapping[int, Mapping[str, Any]]
"""Measurements by the number of their trial."""
AnswersByTrial = Mapping[int, Answers | None]
"""What was answered where the accuracy of a measurement was found, by the number of the trial."""


def front_numbers(
    measurements: MeasurementsByTrial,
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    finals: MeasurementsByTrial | None = None,
    resolution: float = 0.0,
    answers: AnswersByTrial | None = None,
) -> tuple[list[int], float]:
    """The numbers of the trials on the front, fastest first, and the hypervolume of their estimates.

    A trial is on the front where it is feasible and no feasible trial dominates it for certain (see
    `search.objectives.dominance.dominates`). Where final measurements exist, only trials that have one take part,
    with that measurement; one in which an objective was not measured takes no part. The hypervolume is relative to
    the baseline, with the reference point at 1 (see `search.objectives.loss_table.loss_table`). Without a baseline or a
    feasible trial the front is empty and its hypervolume 0.

    Args:
        measurements: Of all complete trials; trial 0 is the baseline.
        objectives: What is optimised.
        constraints: What a feasible trial satisfies.
        finals: Measurements made at the end of the search.
        resolution: The smallest relative difference in speed that is significant.
        answers: What was answered where these accuracies were measured: for a trial in ``finals``, finally.
    """
    finals = finals or {}
    baseline = finals.get(0) or measurements.get(0)
    compared = measurements
    if finals:
        compared = {n: finals[n] for n in measurements if n in finals and _is_measured(finals[n], objectives)}
    feasible = {number: one for number, one in compared.items() if one and is_feasible(one, constraints)}
    if not feasible or not baseline:
        return [], 0.0
    table = loss_table(
        objectives, list(feasible.values()), baseline, resolution, [(answers or {}).get(number) for number in feasible]
    )
    kept = undominated(table)
    numbers = [number for number, is_kept in zip(feasible, kept, strict=True) if is_kept]
    return sorted(numbers, key=lambda number: -feasible[number]["speedup"]), hypervolume(table.points[kept])


def compute_front(
    trials: Sequence[TrialRecord],
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    finals: MeasurementsByTrial | None = None,
    resolution: float = 0.0,
    final_answers: AnswersByTrial | None = None,
) -> tuple[list[TrialRecord], float]:
    """The trials on the front, fastest first, and its hypervolume: `front_numbers` as records.

    Args:
        trials: All complete trials.
        objectives: What is optimised.
        constraints: What a feasible trial satisfies.
        finals: Measurements made at the end of the search.
        resolution: The smallest relative difference in speed that is significant.
        final_answers: What was answered in these; None where there are none.
    """
    by_number = {trial.number: trial for trial in trials}
    measurements = {trial.number: trial.measurement or {} for trial in trials}
    searched = {trial.number: trial.answers for trial in trials}
    answers = (final_answers or {}) if finals else searched
    numbers, volume = front_numbers(measurements, objectives, constraints, finals, resolution, answers)
    return [by_number[number] for number in numbers], volume


def find_ties(
    measurements: MeasurementsByTrial,
    baseline: Mapping[str, Any],
    objectives: Sequence[Objective],
    resolution: float = 0.0,
    answers: AnswersByTrial | None = None,
) -> dict[int, list[int]]:
    """For each trial the others, in ascending order, than which it is certainly better or worse in no objective."""
    numbers = list(measurements)
    answered = [(answers or {}).get(number) for number in numbers]
    table = loss_table(objectives, list(measurements.values()), baseline, resolution, answered)
    return {number: sorted(numbers[row] for row in rows) for number, rows in zip(numbers, tied(table), strict=True)}


def least_infeasible(trials: Sequence[TrialRecord], constraints: Sequence[Constraint]) -> TrialRecord:
    """The complete trial with the smallest sum of constraint violations, each relative to its bound.

    Raises:
        WorkFailed: No trial is complete.
    """
    complete = [trial for trial in trials if trial.state == "complete" and trial.measurement]
    if not complete:
        raise WorkFailed("no trial finished, so there is no front; `frontrunner front NAME --all` shows why")
    return min(complete, key=lambda t: sum(max(0.0, c.violation(t.measurement or {})) for c in constraints))


def _is_measured(measurement: Mapping[str, Any], objectives: Sequence[Objective]) -> bool:
    return all(measurement.get(compared_quantity(objective.name)) is not None for objective in objectives)
