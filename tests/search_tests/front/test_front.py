"""The front, where measurements are known within intervals only: dominance, ties, and what the document says."""

import json

import numpy as np
import optuna
import pytest
from search_tests.simulation import OBJECTIVES, drive, make_chains, make_runner, measurement, open_table_study

from search.front.front import compute_front
from search.front.front_document import front_document
from search.objectives.constraint import Constraint
from search.objectives.dominance import tied, undominated
from search.objectives.loss_table import LossTable, loss_table, losses
from search.objectives.objective import find_objectives
from search.objectives.pareto_front import nondominated
from search.study.study import TrialRecord


def _dominates(one, other, objectives):  # type: ignore[no-untyped-def]
    """The definition, for (points, lower, upper) of two."""
    at_least_as_good = all(one[0][j] <= other[0][j] for j in range(objectives))
    return at_least_as_good and any(one[2][j] < other[1][j] for j in range(objectives))


def _cloud(seed, count=60, objectives=3):  # type: ignore[no-untyped-def]
    """Points on a coarse grid, so that some are equal in part, with intervals of very different widths."""
    random = np.random.default_rng(seed)
    points = random.integers(0, 12, (count, objectives)) / 12
    widths = random.choice([0.0, 0.05, 0.3], (2, count, objectives)) * random.random((2, count, objectives))
    return points, points - widths[0], points + widths[1]


@pytest.mark.parametrize("seed", range(30))
def test_dominated_points_are_those_of_the_definition(seed: int) -> None:
    points, lower, upper = _cloud(seed, objectives=1 + seed % 3)
    rows = list(zip(points, lower, upper, strict=True))
    expected = [not any(_dominates(other, row, points.shape[1]) for other in rows) for row in rows]
    assert undominated(LossTable.of(points, lower, upper)).tolist() == expected
    assert 0 < sum(expected) < len(expected)


@pytest.mark.parametrize("seed", range(10))
def test_intervals_only_add_to_the_front_of_the_estimates(seed: int) -> None:
    points, lower, upper = _cloud(seed)
    plain = nondominated(points)
    assert plain.any()
    assert undominated(LossTable.of(points, lower, upper))[plain].all()
    assert undominated(LossTable.of(points, points, points)).tolist() == plain.tolist()


@pytest.mark.parametrize("seed", range(10))
def test_dominance_has_no_cycles(seed: int) -> None:
    rows = list(zip(*_cloud(seed, count=25), strict=True))
    beaten = {i: {j for j, other in enumerate(rows) if _dominates(other, row, 3)} for i, row in enumerate(rows)}
    while free := [i for i, by in beaten.items() if not by & beaten.keys()]:
        beaten = {i: by for i, by in beaten.items() if i not in free}
    assert not beaten


@pytest.mark.parametrize("seed", range(10))
def test_ties_are_mutual_and_as_the_definition_says(seed: int) -> None:
    points, lower, upper = _cloud(seed, count=30)
    found = tied(LossTable.of(points, lower, upper))
    for i, j in ((i, j) for i in range(30) for j in range(30) if i != j):
        apart = (upper[i] < lower[j]).any() or (upper[j] < lower[i]).any()
        assert (j in found[i]) == (not apart)
        assert (j in found[i]) == (i in found[j])
    assert any(found)


def test_a_dominated_point_still_dominates_others() -> None:
    points = np.array([[0.10, 0.5], [0.20, 0.5], [0.25, 0.7]])
    lower = np.array([[0.10, 0.5], [0.20, 0.5], [0.05, 0.7]])
    upper = np.array([[0.15, 0.9], [0.20, 0.5], [0.25, 0.7]])
    assert undominated(LossTable.of(points[[0, 2]], lower[[0, 2]], upper[[0, 2]])).tolist() == [True, True]
    assert undominated(LossTable.of(points, lower, upper)).tolist() == [True, False, False]


def test_a_cost_that_cannot_be_compared_is_no_obstacle() -> None:
    points = np.array([[0.1, np.inf], [0.2, np.inf], [0.3, 0.5]])
    assert undominated(LossTable.of(points, points, points)).tolist() == [True, False, True]


def test_no_points_have_no_front() -> None:
    none = np.zeros((0, 2))
    assert undominated(LossTable.of(none, none, none)).tolist() == []
    assert tied(LossTable.of(none, none, none)) == []


def _trials(*figures):  # type: ignore[no-untyped-def]
    """The baseline and trials of these (accuracy, half its interval, speedup, half its interval)."""
    rows = [(0.95, 0.01, 1.0, 0.0), *figures]
    return [
        TrialRecord(
            number=number,
            state="complete",
            configuration=None,
            measurement=measurement(a, s, accuracy_ci95=(a - da, a + da), speedup_ci95=(s - ds, s + ds)),
            failure="",
        )
        for number, (a, da, s, ds) in enumerate(rows)
    ]


def _front(trials, resolution=0.0, objectives=OBJECTIVES):  # type: ignore[no-untyped-def]
    return [trial.number for trial in compute_front(trials, objectives, [], resolution=resolution)[0]]


def test_a_trial_within_the_interval_of_a_better_one_stays() -> None:
    assert _front(_trials((0.95, 0.0, 5.0, 0.2), (0.95, 0.0, 4.7, 0.2))) == [1, 2]
    assert _front(_trials((0.95, 0.0, 5.0, 0.1), (0.95, 0.0, 4.7, 0.1))) == [1]
    assert _front(_trials((0.95, 0.02, 5.0, 0.0), (0.94, 0.02, 5.0, 0.0))) == [1, 2]
    assert _front(_trials((0.95, 0.001, 5.0, 0.0), (0.94, 0.001, 5.0, 0.0))) == [1]


def test_a_difference_in_speed_within_the_resolution_is_not_significant() -> None:
    exact = _trials((0.95, 0.01, 5.06, 0.0), (0.95, 0.01, 5.0, 0.0))
    assert _front(exact) == [1]
    assert _front(exact, resolution=0.011) == [1]
    assert _front(exact, resolution=0.013) == [1, 2]


@pytest.mark.parametrize("name", ["latency_p50_ms", "latency_p90_ms", "latency_p99_ms", "throughput_per_s"])
def test_other_timed_quantities_have_the_same_resolution(name: str) -> None:
    objectives = find_objectives(["accuracy", name])
    exact = _trials((0.95, 0.01, 5.06, 0.0), (0.95, 0.01, 5.0, 0.0))
    for trial in exact:
        (trial.measurement or {})["latency_p99_ms"] = 3 * (trial.measurement or {})["latency_p50_ms"]
    assert _front(exact, 0.011, objectives) == [1]
    assert _front(exact, 0.013, objectives) == [1, 2]


def test_the_resolution_is_no_excuse_for_a_size() -> None:
    small, large = (dict(measurement(0.95, 1.0), size_mib=size) for size in (1.0, 1.001))
    objectives = find_objectives(["accuracy_drop", "size_mib"])
    table = loss_table(objectives, [small, large], large, 0.5)
    (lower, other), (upper, _) = table.lower, table.upper
    assert upper[1] == lower[1] < other[1]
    assert upper[0] - lower[0] == pytest.approx(0.02 / 0.15)  # a drop is as uncertain as the accuracy


def test_what_could_not_be_measured_never_wins() -> None:
    objectives = find_objectives(["accuracy", "latency_p99_ms"])
    trials = _trials((0.95, 0.0, 5.0, 0.0), (0.95, 0.0, 5.0, 0.0))
    (trials[0].measurement or {})["latency_p99_ms"] = None
    (trials[1].measurement or {})["latency_p99_ms"] = None
    (trials[2].measurement or {})["latency_p99_ms"] = 3.0
    assert _front(trials, 0.013, objectives) == [2]


def test_a_member_whose_final_measurement_lacks_an_objective_takes_no_part() -> None:
    objectives = find_objectives(["accuracy", "latency_p99_ms"])
    trials = _trials((0.95, 0.0, 5.0, 0.0), (0.97, 0.0, 5.0, 0.0))
    finals = {n: measurement(0.95 + 0.01 * n, 5.0, latency_p99_ms=[3.0, 2.0, None][n]) for n in range(3)}
    assert [trial.number for trial in compute_front(trials, objectives, [], finals)[0]] == [1]


def test_a_bound_on_what_is_not_known_is_not_kept() -> None:
    bound = Constraint.parse("latency_p99_ms<=3")
    trials = _trials((0.95, 0.0, 5.0, 0.0))
    finals = {0: measurement(0.95, 1.0, latency_p99_ms=2.0), 1: measurement(0.95, 5.0)}
    assert [trial.number for trial in compute_front(trials, OBJECTIVES, [bound], finals)[0]] == [0]


def test_an_estimate_outside_its_interval_widens_it() -> None:
    figures = measurement(0.95, 5.0, speedup_ci95=(5.1, 5.3))
    table = loss_table(OBJECTIVES, [figures], measurement(0.95, 1.0))
    lower, upper = table.lower[0], table.upper[0]
    assert lower[1] < upper[1] == losses(OBJECTIVES, figures, measurement(0.95, 1.0))[1]


def test_hypervolume_is_that_of_the_estimates() -> None:
    sharp, vague = (_trials((0.95, d, 5.0, d), (0.95, d, 4.9, d)) for d in (0.0, 0.5))
    assert compute_front(sharp, OBJECTIVES, [])[1] == compute_front(vague, OBJECTIVES, [], resolution=0.1)[1]


def _study() -> optuna.Study:
    chains = make_chains()
    study = open_table_study(None, chains.space)
    drive(study, make_runner(), chains, 12)
    return study


def test_the_document_has_ties_and_resolution_as_json() -> None:
    study = _study()
    study.set_user_attr("timing_resolution", {"resolution": 0.013})
    close = {"0": measurement(0.95, 1.0), "1": measurement(0.95, 5.0), "2": measurement(0.951, 4.9)}
    study.set_user_attr("final", {**close, "3": measurement(0.90, 9.0)})
    document = json.loads(json.dumps(front_document(study), allow_nan=False))
    assert document["resolution"] == 0.013
    assert {member["trial"]: member["ties"] for member in document["front"]} == {3: [], 1: [2], 2: [1]}
    assert document["baseline"]["ties"] == []


def test_a_baseline_that_the_resolution_keeps_on_the_front_has_its_ties() -> None:
    study = _study()
    exact = {"0": measurement(0.95, 1.0, speedup_ci95=(1.0, 1.0)), "1": measurement(0.95, 1.01, speedup_ci95=None)}
    study.set_user_attr("final", exact)
    assert [(member["trial"], member["ties"]) for member in front_document(study)["front"]] == [(1, [])]
    assert front_document(study)["baseline"]["ties"] == []
    study.set_user_attr("timing_resolution", {"resolution": 0.013})
    assert [(member["trial"], member["ties"]) for member in front_document(study)["front"]] == [(1, [0]), (0, [1])]
    assert front_document(study)["baseline"]["ties"] == [1]


def test_a_study_without_a_calibration_has_no_resolution() -> None:
    study = _study()
    study.set_user_attr("timing_resolution", {})
    assert front_document(study)["resolution"] is None


@pytest.mark.parametrize("doubt", ["", "the machine was busy"])
def test_the_document_says_what_is_to_be_doubted_of_the_resolution(doubt: str) -> None:
    study = _study()
    study.set_user_attr("timing_resolution", {"resolution": 0.08, "unstable": doubt})
    document = front_document(study)
    assert (document["resolution"], document["resolution_doubt"]) == (0.08, doubt)
