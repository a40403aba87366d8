"""What a bound says of figures, and of those that are not known."""

import pytest

from search.objectives.constraint import Constraint, trusted


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
def test_a_bound_holds_where_a_known_value_keeps_it(text: str, value: float | None, holds: bool) -> None:
    bound = Constraint.parse(text)
    assert bound.holds({bound.quantity: value}) is holds
    assert not bound.holds({})


def test_of_a_doubtful_timing_only_sizes_may_settle_a_bound() -> None:
    figures = {"speedup": 0.5, "latency_p90_ms": 9.0, "load_ms": 80.0, "size_mib": 4.0, "macs": 1000}
    assert trusted({**figures, "unstable": ""}) == {**figures, "unstable": ""}
    assert trusted({**figures, "unstable": "the machine was busy"}) == {"size_mib": 4.0, "macs": 1000}
