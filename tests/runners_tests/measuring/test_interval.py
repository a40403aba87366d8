"""The interval of a ratio: what the bootstrap says of it, and what disturbances add."""

import numpy as np
import pytest
from numpy.typing import NDArray

from runners.measuring.interval import FLOOR, Ratio, contrast, ratio, sampling_errors


def sampled(candidate: list[NDArray[np.float64]], baseline: list[NDArray[np.float64]], seed: int = 0) -> Ratio:
    """The ratio with the interval of the sampling error alone."""
    value, (low, high) = ratio(candidate, baseline, seed).value, sampling_errors([baseline, candidate], (1, -1), seed)
    return Ratio(value, value * np.exp(-low), value * np.exp(high))


@pytest.mark.parametrize("count", [3, 4, 6])
def test_intervals_of_few_blocks_are_as_wide_as_they_need_to_be(count: int) -> None:
    covered = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        slowed = 1 + random.exponential(0.1, (2, count, 1))
        arms = slowed * (1 + random.exponential(0.01, (2, count, 6))) * [[[1.0]], [[2.0]]]
        interval = sampled(list(arms[0]), list(arms[1]), seed)
        covered += interval.low <= 2.0 <= interval.high
    assert covered >= 80


def test_the_sampling_error_is_that_of_the_ratio_of_estimates() -> None:
    random = np.random.default_rng(0)
    found = []
    for _ in range(100):
        arms = [list(np.exp(0.1 * random.normal(size=(48, 12)))) for _ in range(2)]
        found.append(sampled(arms[0], arms[1]))
    spread = np.std([np.log(one.value) for one in found])
    assert np.median([one.half_width for one in found]) == pytest.approx(1.96 * spread, rel=0.2)


def test_the_interval_holds_the_ratio_at_every_level_and_is_never_narrower_than_its_floor() -> None:
    steady, slowed = [np.full(12, 1.0)] * 24, [np.repeat([2.0, 2.4], 6)] * 24
    assert ratio(steady, [np.full(12, 2.0)] * 24, 0).half_width == pytest.approx(FLOOR, rel=0.01)
    found = ratio(steady, slowed, 0)
    assert found.value == pytest.approx(2.0)
    assert found.low == pytest.approx(2.0 * np.exp(-np.hypot(np.log(1.1), FLOOR)), rel=0.001)
    assert found.high == pytest.approx(2.0 * np.exp(np.hypot(np.log(1.1), FLOOR)), rel=0.001)
    assert found.high > 2.2, "the ratio of the medians"


def test_one_block_gives_no_interval() -> None:
    assert sampling_errors([[np.ones(4)], [np.ones(4)]], (1, -1), 0) == (np.inf, np.inf)


def test_no_single_call_decides_the_estimate_of_few_calls() -> None:
    slow = [np.array([2.0, 2.0])] * 10
    once_too_short = [np.array([0.5, 2.0]), *slow[1:]]
    assert ratio(once_too_short, [np.full(100, 4.0)] * 10, 0).value == pytest.approx(2.0)


def test_what_two_choices_give_together_is_found_among_four_arms_that_one_disturbance_slows() -> None:
    random = np.random.default_rng(0)
    true = {"both": 1.0, "first alone": 2.0, "second alone": 3.0, "neither": 9.0}
    covered, values = 0, []
    for seed in range(12):
        slowed = 1 + random.exponential(0.3, (1, 24, 1))  # a block slows all arms alike
        arms = slowed * (1 + random.exponential(0.02, (4, 24, 8))) * np.array([*true.values()])[:, None, None]
        found = contrast([list(arm) for arm in arms], (-1, 1, 1, -1), seed)
        values.append(found.value)
        covered += found.low <= 2.0 * 3.0 / (1.0 * 9.0) <= found.high
    assert np.median(values) == pytest.approx(2 / 3, rel=0.02)
    assert covered >= 11
