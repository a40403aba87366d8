"""Measurements become targets: losses and violations, NaN where nothing was measured."""

from typing import Any

import numpy as np
import optuna
import pytest
from search_tests.simulation import measurement

from search.objectives.constraint import Constraint
from search.objectives.objective import find_objectives
from search.objectives.trial_targets import TrialTargets

BASELINE = measurement(0.9, 1.0)


def targets(*constraints: str, objectives: tuple[str, ...] = ("accuracy", "speedup")) -> TrialTargets:
    made = TrialTargets(find_objectives(objectives), [Constraint.parse(text) for text in constraints])
    made.add_complete(0, BASELINE, {})
    return made


def trial(state: str = "PRUNED", **attributes: Any) -> optuna.trial.FrozenTrial:
    values = [1.0] if state == "COMPLETE" else None
    return optuna.trial.create_trial(state=optuna.trial.TrialState[state], values=values, user_attrs=attributes)


def test_the_baseline_is_at_the_reference_point_in_what_it_costs() -> None:
    assert targets().of_measurement(BASELINE) == pytest.approx([0.5, 1.0])
    assert targets().of_measurement(measurement(0.8, 4.0)) == pytest.approx([1.0, 0.25])


def test_what_was_not_measured_is_nan() -> None:
    made = targets("accuracy>=0.8", "size_mib<=2", "energy_mj<=5")
    speed_alone = made.of_measurement({"speedup": 2.0, "size_mib": 3.0})
    assert np.isnan(speed_alone).tolist() == [True, False, True, False, True]
    assert speed_alone[[1, 3]] == pytest.approx([0.5, 0.5])
    assert np.isnan(made.of_measurement({})).all()
    trained = made.of_measurement({"accuracy": 0.9, "energy_mj": None})
    assert np.isnan(trained).tolist() == [False, True, False, True, True]


def test_violations_are_at_most_0_where_a_constraint_is_satisfied() -> None:
    made = targets("accuracy>=0.8", "size_mib<=2")
    assert made.of_measurement({"accuracy": 0.4, "size_mib": 1.0})[2:] == pytest.approx([0.5, -0.5])


def test_a_drop_in_accuracy_is_compared_by_the_accuracy() -> None:
    made = targets("accuracy_drop<=0.01", objectives=("accuracy_drop", "speedup"))
    known = made.of_measurement({"accuracy": 0.8, "accuracy_drop": 0.1})
    assert known[0] == pytest.approx(1.0)
    assert known[2] == pytest.approx(9.0)
    assert made.of_measurement({"accuracy": 0.8})[0] == pytest.approx(1.0)


def test_the_first_violated_constraint_is_named_and_one_not_measured_is_not() -> None:
    made = targets("accuracy>=0.95", "size_mib<=2", "speedup>=3")
    assert str(made.first_violated({"speedup": 2.0, "size_mib": 3.0})) == "size_mib<=2"
    assert str(made.first_violated({"speedup": 2.0, "size_mib": 2.0})) == "speedup>=3"
    assert made.first_violated({"size_mib": 1.0}) is None


@pytest.mark.parametrize(
    ("constraints", "decides"),
    [((), False), (("accuracy>=0.9", "accuracy_drop<=0.1", "train_seconds<=9"), False), (("macs<=9",), True)],
)
def test_a_bound_can_be_settled_before_training_unless_training_decides_it(
    constraints: tuple[str, ...], decides: bool
) -> None:
    assert targets(*constraints).has_constraint_before_training is decides


def test_the_extrapolated_accuracy_is_that_of_the_last_rung_and_the_smallest_improvement_of_others() -> None:
    made = targets()
    for number, improvement in enumerate((0.2, 0.1, 0.9), start=1):
        quantised = measurement(0.3, 2.0)  # what quantisation did is no matter of training
        made.add_complete(number, quantised, {1: 0.95 - 2 * improvement, 3: 0.95 - improvement, 8: 0.95})
    extrapolated = made.extrapolate({"speedup": 2.0}, {1: 0.3, 3: 0.6})
    assert extrapolated["accuracy"] == pytest.approx(0.6 + 0.1)
    assert extrapolated["accuracy_drop"] == pytest.approx(0.9 - 0.7)
    assert extrapolated["speedup"] == 2.0
    assert made.extrapolate({}, {1: 0.3})["accuracy"] == pytest.approx(0.3 + 0.2)
    assert made.extrapolate({}, {7: 0.3})["accuracy"] == pytest.approx(0.3), "nobody has gone on from there"
    assert made.extrapolate({}, {3: 0.95})["accuracy"] == 1.0
    assert made.extrapolate({"speedup": 2.0}, {}) == {"speedup": 2.0}


def test_a_trial_has_targets_where_it_is_complete_or_was_stopped() -> None:
    made = targets("size_mib<=2")
    made.add_complete(1, measurement(0.95, 2.0), {2: 0.85, 8: 0.95})
    whole = made.of_trial(trial("COMPLETE", measurement=measurement(0.8, 4.0)))
    assert whole == pytest.approx([1.0, 0.25, -0.5])
    speed = {"speedup": 2.0, "size_mib": 4.0}
    stopped = made.of_trial(trial(stopped="others did better", speed=speed, rungs={"2": 0.7}))
    assert stopped == pytest.approx([1.0, 0.5, 1.0])
    untrained = made.of_trial(trial(stopped="not trained", speed=speed))
    assert untrained is not None
    assert np.isnan(untrained).tolist() == [True, False, False]
    assert made.of_trial(trial("FAIL", failure="training: NaN", rungs={"2": 0.7})) is None
    assert made.of_trial(trial("RUNNING")) is None


def test_a_study_that_goes_on_extrapolates_from_its_earlier_trials() -> None:
    made = TrialTargets(find_objectives(["accuracy", "speedup"]), [])
    first = trial("COMPLETE", measurement=BASELINE)
    first.number = 0
    second = trial("COMPLETE", measurement=measurement(0.95, 2.0), rungs={"1": 0.75, "8": 0.95})
    second.number = 1
    made.add_trials([first, second, trial("RUNNING")])
    assert made.baseline == BASELINE
    assert made.extrapolate({}, {1: 0.5})["accuracy"] == pytest.approx(0.7)
