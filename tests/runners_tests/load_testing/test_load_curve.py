"""What is said of the latencies at several rates."""

import numpy as np
import pytest

from runners.load_testing.load_curve import LoadCurve, LoadPoint, ServingWay, best_curve


def point(rate: float, p99: float | None, mean: float | None = 1.0) -> LoadPoint:
    return LoadPoint(rate, 3000, 1.0, mean, mean, p99, None)


def curve(*points: LoadPoint, replicas: int = 1) -> LoadCurve:
    return LoadCurve(ServingWay(replicas, 1), 100.0, points)


def test_percentiles_are_those_of_all_rounds_together() -> None:
    rounds = [np.arange(1, 501) / 1e3, np.arange(501, 1001) / 1e3]
    found = LoadPoint.of(10.0, rounds)
    assert (found.requests, found.answered) == (1000, 1.0)
    assert found.mean_ms == pytest.approx(500.5)
    assert found.p50_ms == pytest.approx(501, abs=1)
    assert found.p99_ms == pytest.approx(991, abs=1)
    assert found.p99_range_ms == pytest.approx((496, 996), abs=1)


def test_too_few_requests_have_no_99th_percentile() -> None:
    found = LoadPoint.of(10.0, [np.full(999, 0.001)])
    assert (found.p99_ms, found.p99_range_ms) == (None, None)
    assert found.p50_ms == pytest.approx(1.0)


@pytest.mark.parametrize(("lost", "p50", "p99"), [(5, 1.0, 1.0), (20, 1.0, None), (600, None, None)])
def test_a_request_that_was_given_up_counts_as_slower_than_all_others(
    lost: int, p50: float | None, p99: float | None
) -> None:
    latencies = np.concatenate([np.full(1000 - lost, 0.001), np.full(lost, np.inf)])
    found = LoadPoint.of(10.0, [latencies])
    assert found.answered == pytest.approx(1 - lost / 1000)
    assert found.mean_ms is None
    assert (found.p50_ms, found.p99_ms) == (pytest.approx(p50) if p50 else None, pytest.approx(p99) if p99 else None)


def test_the_knee_of_a_queue_with_exponential_times_is_at_half_of_its_capacity() -> None:
    points = [point(rate, None, 1e3 / (100 - rate)) for rate in (10.0, 30.0, 50.0, 70.0, 90.0)]
    assert curve(*points).knee == points[2]
    assert curve(point(10.0, None, None)).knee is None


def test_a_bound_on_latency_holds_for_all_lower_rates_too() -> None:
    points = point(10.0, 1.0), point(20.0, 2.0), point(30.0, 9.0), point(40.0, 3.0)
    assert curve(*points).within(3.0) == points[1]
    assert curve(*points).within(0.5) is None


def test_the_best_way_is_that_of_the_highest_rate_within_the_bound_or_else_of_the_most_power() -> None:
    high = curve(point(10.0, 5.0, 4.0), point(90.0, 50.0, 9.0), replicas=2)
    quick = curve(point(10.0, 1.0, 1.0), point(40.0, 2.0, 2.0))
    assert best_curve([high, quick], 2.0) is quick
    assert best_curve([high, quick], 60.0) is high
    assert best_curve([high, quick], None) is quick
