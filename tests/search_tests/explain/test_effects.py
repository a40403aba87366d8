"""The arithmetic of effects, on times that are known."""

import math

import pytest

from runners.measuring.contrasts import Contrast, combine_contrasts
from search.explain.effects import TOGETHER, effect, remainder, wanted_contrasts

TIMES = {"baseline": 24.0, "member": 1.0, "without a": 2.0, "without b": 3.0, "without a and b": 12.0}
ARMS = {name: name for name in TIMES}


def value(weights: dict[str, int]) -> float:
    """A contrast of `TIMES`."""
    return math.prod(TIMES[arm] ** weight for arm, weight in weights.items())


def test_a_choice_gives_the_time_without_it_over_the_time_with_it() -> None:
    contrasts = wanted_contrasts(["a", "b"], [], ARMS)
    assert {name: value(weights) for name, weights in contrasts.items()} == {TOGETHER: 24.0, "a": 2.0, "b": 3.0}


def test_synergy_is_the_speedup_of_both_less_those_of_each_alone_as_logarithms() -> None:
    weights = wanted_contrasts(["a", "b"], [("a", "b")], ARMS)["a and b"]
    alone_a, alone_b, both = 12.0 / 3.0, 12.0 / 2.0, 12.0 / 1.0
    assert math.log(value(weights)) == pytest.approx(math.log(both) - math.log(alone_a) - math.log(alone_b))
    assert value(weights) == pytest.approx(0.5), "each alone leaves the other less to gain"


def test_variants_of_one_artifact_cancel_out() -> None:
    same = {**ARMS, "without a": "member"}
    contrasts = wanted_contrasts(["a", "b"], [("a", "b")], same)
    assert "a" not in contrasts, "there is nothing to time"
    assert contrasts["a and b"] == {"without b": 1, "without a and b": -1}
    assert wanted_contrasts(["a"], [], {**ARMS, "without a": "baseline"})["a"] == {"baseline": 1, "member": -1}


def test_the_remainder_is_what_the_product_lacks() -> None:
    assert remainder(24.0, [2.0, 3.0]) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("contrast", "resolution", "significant"),
    [
        (Contrast(1.2, (1.1, 1.3)), 0.05, True),
        (Contrast(0.8, (0.7, 0.9)), 0.05, True),
        (Contrast(1.2, (0.9, 1.5)), 0.05, False),
        (Contrast(1.04, (1.01, 1.07)), 0.05, False),
        (Contrast(1.2, (1.1, 1.3), "the machine was busy"), 0.05, False),
    ],
)
def test_an_effect_is_significant_where_it_is_trusted_beyond_1_and_beyond_the_resolution(
    contrast: Contrast, resolution: float, significant: bool
) -> None:
    found = effect(contrast, resolution)
    assert found is not None
    assert found["significant"] is significant


def test_several_processes_are_one_sample() -> None:
    one = combine_contrasts([Contrast(2.0, (1.9, 2.1)), Contrast(2.0, (1.9, 2.1), "busy")])
    assert (one.value, one.unstable) == (pytest.approx(2.0), "busy")
    apart = combine_contrasts([Contrast(1.0, (0.99, 1.01)), Contrast(4.0, (3.9, 4.1))])
    assert apart.value == pytest.approx(2.0)
    assert apart.ci95[0] < 1.0
    assert apart.ci95[1] > 4.0
