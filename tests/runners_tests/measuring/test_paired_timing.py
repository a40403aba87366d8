"""The figures of a timing, and the reasons not to trust them."""

import numpy as np

from runners.measuring.paired_timing import Conditions, count_outliers, joined, summarise


def test_reasons_not_to_trust_it_are_told_each_once() -> None:
    told = summarise([np.ones(6)] * 12, [np.ones(6)] * 12, 0, Conditions(doubt="busy; hot")).unstable
    assert told == "busy; hot"
    assert summarise([np.ones(6)] * 12, [np.ones(6)] * 12, 0).unstable == ""
    assert joined(["busy; hot", "", "hot; slow"]) == "busy; hot; slow"
    assert joined(["others used 64% of it; hot", "others used 7% of it"]) == "others used 64% of it; hot"


def test_outliers_are_counted_and_not_dropped() -> None:
    calls = np.random.default_rng(0).normal(1.0, 0.01, 1000)
    calls[:7] = 2.0
    assert count_outliers(calls) == 7
    assert count_outliers(np.ones(10)) == 0
    blocks = list(calls.reshape(100, 10))
    timing = summarise(blocks, list(np.ones((100, 10))), 0)
    assert (timing.outliers, timing.baseline_outliers) == (7, 0)
    assert timing.latency_p99_ms is not None
    assert timing.latency_p99_ms > 1000


def test_the_99th_percentile_needs_a_thousand_calls() -> None:
    few, many = [np.ones(10)] * 99, [np.ones(10)] * 100
    assert summarise(few, few, 0).latency_p99_ms is None
    assert summarise(many, many, 0).latency_p99_ms == 1000.0
