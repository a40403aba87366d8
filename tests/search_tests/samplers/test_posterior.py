"""The posterior of a target and its output transform, against sampling."""

import numpy as np
import pytest

from search.samplers.posterior import Posterior, ShiftedLog

TRANSFORM = ShiftedLog(0.05)
MEAN, STD = np.array([-1.0, 0.3]), np.array([0.5, 0.1])
UNOBSERVED = Posterior(TRANSFORM, np.full(2, np.nan), MEAN, STD)


def samples() -> np.ndarray:
    return np.exp(MEAN + STD * np.random.default_rng(0).standard_normal((400_000, 2))) - TRANSFORM.shift


@pytest.mark.parametrize("bound", [0.1, 0.5, 1.4])
def test_the_expected_improvement_is_that_of_samples(bound: float) -> None:
    brute = np.maximum(bound - samples(), 0).mean(axis=0)
    assert UNOBSERVED.expected_improvement(bound) == pytest.approx(brute, abs=2e-3)


@pytest.mark.parametrize("bound", [0.1, 0.5, 1.4])
def test_the_probability_below_a_bound_is_that_of_samples(bound: float) -> None:
    assert UNOBSERVED.probability_below(bound) == pytest.approx((samples() <= bound).mean(axis=0), abs=3e-3)


def test_nothing_is_expected_below_the_domain_of_the_transform() -> None:
    assert UNOBSERVED.expected_improvement(-0.05).tolist() == [0.0, 0.0]
    assert UNOBSERVED.probability_below(-0.06).tolist() == [0.0, 0.0]


def test_observed_values_are_certain() -> None:
    posterior = Posterior(ShiftedLog(0.1), np.array([np.nan, -1.0, 1.0]), np.full(3, np.log(0.1)), np.full(3, 0.5))
    assert posterior.probability_below(0.0) == pytest.approx([0.5, 1.0, 0.0])
    assert posterior.median() == pytest.approx([0.0, -1.0, 1.0])
    assert posterior.expected_improvement(0.5)[1:].tolist() == [1.5, 0.0]


def test_the_inverse_undoes_the_transform() -> None:
    values = np.array([0.0, 0.4, 2.0])
    assert TRANSFORM.inverse(TRANSFORM.transform(values)) == pytest.approx(values)


def test_the_domain_goes_below_the_best_value_and_to_where_it_must() -> None:
    values = np.array([2.0, 3.0, 4.0])
    assert ShiftedLog.fit(values).shift > -2.0
    assert ShiftedLog.fit(values, lowest=0.0).shift > 0.0


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0], [0.0, 0.0], [5.0, 5.0, 5.0, 9.0]])
def test_values_without_spread_have_a_transform_too(values: list[float]) -> None:
    transform = ShiftedLog.fit(np.array(values))
    assert np.isfinite(transform.transform(np.array(values))).all()
