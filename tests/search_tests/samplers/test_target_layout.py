"""How trials become targets to minimise."""

import math

import numpy as np
import optuna
import pytest

from search.samplers.target_layout import TargetLayout


def study() -> optuna.Study:
    return optuna.create_study(directions=["minimize", "maximize"])


def test_what_is_to_be_maximised_changes_its_sign() -> None:
    assert TargetLayout(2, 1).to_minimise([1.0, 2.0, 3.0], study()).tolist() == [1.0, -2.0, 3.0]


def test_losses_are_taken_as_they_are() -> None:
    assert TargetLayout(2, are_losses=True).to_minimise([1.0, 2.0], study()).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("values", [None, (), (math.inf,), (math.nan, -math.inf)])
def test_what_is_missing_or_not_finite_is_nan(values: tuple[float, ...] | None) -> None:
    assert np.isnan(TargetLayout(2).to_minimise(values, study())).all()


def test_a_trial_that_is_not_complete_has_no_values() -> None:
    running = study()
    trial = running.ask()
    assert len(TargetLayout(2).trial_values(running.trials[0]) or ()) == 0
    running.tell(trial, [1.0, 2.0])
    assert TargetLayout(2).trial_values(running.trials[0]) == [1.0, 2.0]


def test_the_reference_point_is_a_bit_beyond_the_worst_seen() -> None:
    known = np.array([[0.0, 5.0], [10.0, np.nan], [4.0, 5.0]])
    assert TargetLayout(2).reference_point(known).tolist() == [11.0, 5.5]
    assert TargetLayout(2, are_losses=True).reference_point(known).tolist() == [1.0, 1.0]
