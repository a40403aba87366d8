"""What a constraint says of measurements, and of quantities that were not measured."""

import pytest

from search.objectives.constraint import Constraint, without_unstable_timings


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("latency_p99_ms<=3", 3.0, True),
        ("latency_p99_ms<=3", 3.1, False),
        ("latency_p99_ms<=3", None, False),
        ("speedup>=2", 2.0, True),
        ("speedup>=2", 1.9, False),
    ],
)
def test_a_constraint_is_satisfied_by_a_measured_value_within_the_bound(
    text: str, value: float | None, holds: bool
) -> None:
    bound = Constraint.parse(text)
    assert bound.is_satisfied({bound.quantity: value}) is holds
    assert not bound.is_satisfied({})


def test_of_an_unstable_timing_only_sizes_may_reject_a_candidate() -> None:
    figures = {"speedup": 0.5, "latency_p90_ms": 9.0, "load_ms": 80.0, "size_mib": 4.0, "macs": 1000}
    assert without_unstable_timings({**figures, "unstable": ""}) == {**figures, "unstable": ""}
    assert without_unstable_timings({**figures, "unstable": "the machine was busy"}) == {"size_mib": 4.0, "macs": 1000}
