"""The scale that losses are modelled on, against brute force."""

import numpy as np
import pytest

from search.samplers.output_transform import ShiftedLog

SCALE = ShiftedLog(0.05)
MEAN, SD = np.array([-1.0, 0.3]), np.array([0.5, 0.1])


def samples() -> np.ndarray:
    return np.exp(MEAN + SD * np.random.default_rng(0).standard_normal((400_000, 2))) - SCALE.shift


@pytest.mark.parametrize("bound", [0.1, 0.5, 1.4])
def test_the_expected_shortfall_is_that_of_samples(bound: float) -> None:
    brute = np.maximum(bound - samples(), 0).mean(axis=0)
    assert SCALE.shortfall(bound, MEAN, SD) == pytest.approx(brute, abs=2e-3)


@pytest.mark.parametrize("bound", [0.1, 0.5, 1.4])
def test_the_probability_of_keeping_a_bound_is_that_of_samples(bound: float) -> None:
    assert SCALE.below(bound, MEAN, SD) == pytest.approx((samples() <= bound).mean(axis=0), abs=3e-3)


def test_nothing_is_expected_below_the_end_of_the_scale() -> None:
    assert SCALE.shortfall(-0.05, MEAN, SD).tolist() == [0.0, 0.0]
    assert SCALE.below(-0.06, MEAN, SD).tolist() == [0.0, 0.0]


def test_the_median_undoes_the_logarithm() -> None:
    values = np.array([0.0, 0.4, 2.0])
    assert SCALE.median(SCALE.forward(values)) == pytest.approx(values)


def test_the_scale_reaches_below_the_best_value_and_to_where_it_must() -> None:
    values = np.array([2.0, 3.0, 4.0])
    assert ShiftedLog.of(values).shift > -2.0
    assert ShiftedLog.of(values, reach=0.0).shift > 0.0


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0], [0.0, 0.0], [5.0, 5.0, 5.0, 9.0]])
def test_values_without_spread_have_a_scale_too(values: list[float]) -> None:
    scale = ShiftedLog.of(np.array(values))
    assert np.isfinite(scale.forward(np.array(values))).all()
