"""Figures become columns: losses and violations, with what is not known left open."""

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
    made.completed(0, BASELINE, {})
    return made


def trial(state: str = "PRUNED", **attributes: Any) -> optuna.trial.FrozenTrial:
    values = [1.0] if state == "COMPLETE" else None
    return optuna.trial.create_trial(state=optuna.trial.TrialState[state], values=values, user_attrs=attributes)


def test_the_baseline_stands_at_the_reference_point_where_it_costs_something() -> None:
    assert targets().columns(BASELINE) == pytest.approx([0.5, 1.0])
    assert targets().columns(measurement(0.8, 4.0)) == pytest.approx([1.0, 0.25])


def test_what_is_not_known_is_open() -> None:
    of = targets("accuracy>=0.8", "size_mib<=2", "energy_mj<=5")
    speed_alone = of.columns({"speedup": 2.0, "size_mib": 3.0})
    assert np.isnan(speed_alone).tolist() == [True, False, True, False, True]
    assert speed_alone[[1, 3]] == pytest.approx([0.5, 0.5])
    assert np.isnan(of.columns({})).all()
    assert np.isnan(of.columns({"accuracy": 0.9, "energy_mj": None})).tolist() == [False, True, False, True, True]


def test_violations_are_at_most_0_where_a_bound_is_met() -> None:
    of = targets("accuracy>=0.8", "size_mib<=2")
    assert of.columns({"accuracy": 0.4, "size_mib": 1.0})[2:] == pytest.approx([0.5, -0.5])


def test_a_drop_in_accuracy_is_judged_by_the_accuracy() -> None:
    of = targets("accuracy_drop<=0.01", objectives=("accuracy_drop", "speedup"))
    known = of.columns({"accuracy": 0.8, "accuracy_drop": 0.1})
    assert known[0] == pytest.approx(1.0)
    assert known[2] == pytest.approx(9.0)
    assert of.columns({"accuracy": 0.8})[0] == pytest.approx(1.0)


def test_the_first_bound_that_is_missed_is_named_and_an_open_one_is_not() -> None:
    of = targets("accuracy>=0.95", "size_mib<=2", "speedup>=3")
    assert str(of.missed({"speedup": 2.0, "size_mib": 3.0})) == "size_mib<=2"
    assert str(of.missed({"speedup": 2.0, "size_mib": 2.0})) == "speedup>=3"
    assert of.missed({"size_mib": 1.0}) is None


@pytest.mark.parametrize(
    ("constraints", "decides"),
    [((), False), (("accuracy>=0.9", "accuracy_drop<=0.1", "train_seconds<=9"), False), (("macs<=9",), True)],
)
def test_a_bound_can_be_settled_before_training_unless_training_decides_it(
    constraints: tuple[str, ...], decides: bool
) -> None:
    assert targets(*constraints).speed_decides is decides


def test_the_foreseen_accuracy_is_that_of_the_last_rung_and_the_least_gain_of_others() -> None:
    of = targets()
    for number, gain in enumerate((0.2, 0.1, 0.9), start=1):
        quantised = measurement(0.3, 2.0)  # what became of the artifact is not what training gained
        of.completed(number, quantised, {1: 0.95 - 2 * gain, 3: 0.95 - gain, 8: 0.95})
    foreseen = of.foreseen({"speedup": 2.0}, {1: 0.3, 3: 0.6})
    assert foreseen["accuracy"] == pytest.approx(0.6 + 0.1)
    assert foreseen["accuracy_drop"] == pytest.approx(0.9 - 0.7)
    assert foreseen["speedup"] == 2.0
    assert of.foreseen({}, {1: 0.3})["accuracy"] == pytest.approx(0.3 + 0.2)
    assert of.foreseen({}, {7: 0.3})["accuracy"] == pytest.approx(0.3), "nobody has gone on from there"
    assert of.foreseen({}, {3: 0.95})["accuracy"] == 1.0
    assert of.foreseen({"speedup": 2.0}, {}) == {"speedup": 2.0}


def test_a_trial_teaches_what_is_known_of_it() -> None:
    of = targets("size_mib<=2")
    of.completed(1, measurement(0.95, 2.0), {2: 0.85, 8: 0.95})
    whole = of.of_trial(trial("COMPLETE", measurement=measurement(0.8, 4.0)))
    assert whole == pytest.approx([1.0, 0.25, -0.5])
    stopped = of.of_trial(trial(stopped="others did better", speed={"speedup": 2.0, "size_mib": 4.0}, rungs={"2": 0.7}))
    assert stopped == pytest.approx([1.0, 0.5, 1.0])
    untrained = of.of_trial(trial(stopped="not trained", speed={"speedup": 2.0, "size_mib": 4.0}))
    assert untrained is not None
    assert np.isnan(untrained).tolist() == [True, False, False]
    assert of.of_trial(trial("FAIL", failure="training: NaN", rungs={"2": 0.7})) is None
    assert of.of_trial(trial("RUNNING")) is None


def test_what_earlier_trials_gained_is_recalled_from_the_study() -> None:
    of = TrialTargets(find_objectives(["accuracy", "speedup"]), [])
    first = trial("COMPLETE", measurement=BASELINE)
    first.number = 0
    second = trial("COMPLETE", measurement=measurement(0.95, 2.0), rungs={"1": 0.75, "8": 0.95})
    second.number = 1
    of.recall([first, second, trial("RUNNING")])
    assert of.baseline == BASELINE
    assert of.foreseen({}, {1: 0.5})["accuracy"] == pytest.approx(0.7)
