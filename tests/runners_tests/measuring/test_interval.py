"""The interval of a ratio: what the bootstrap says of it, and what disturbances add."""

import numpy as np
import pytest

from runners.measuring.interval import bootstrap_ratio
from runners.measuring.regimes import regime_term


@pytest.mark.parametrize("count", [3, 4, 6])
def test_intervals_of_few_blocks_are_as_wide_as_they_need_to_be(count: int) -> None:
    covered = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        slowed = 1 + random.exponential(0.1, (2, count, 1))
        arms = slowed * (1 + random.exponential(0.01, (2, count, 6))) * [[[1.0]], [[2.0]]]
        interval = bootstrap_ratio(list(arms[0]), list(arms[1]), seed)
        covered += interval.low <= 2.0 <= interval.high
    assert covered >= 80


def test_the_bootstrap_interval_is_that_of_the_ratio_of_estimates() -> None:
    random = np.random.default_rng(0)
    ratios = []
    for _ in range(100):
        arms = [list(np.exp(0.1 * random.normal(size=(48, 12)))) for _ in range(2)]
        ratios.append(bootstrap_ratio(arms[0], arms[1], seed=0))
    spread = np.std([np.log(ratio.value) for ratio in ratios])
    assert np.median([ratio.half_width for ratio in ratios]) == pytest.approx(1.96 * spread, rel=0.2)


def test_arms_that_are_disturbed_alike_stay_narrow_and_others_do_not() -> None:
    random = np.random.default_rng(0)
    disturbed = list(0.001 + random.exponential(0.0001, (48, 12)))
    other = list(0.001 + random.exponential(0.0001, (48, 12)))
    steady = [np.full(12, 0.001)] * 48
    assert regime_term(disturbed, other) < 0.02
    assert regime_term(steady, disturbed) > 0.03
    assert regime_term(steady * 50, disturbed * 50) < regime_term(steady, disturbed)
