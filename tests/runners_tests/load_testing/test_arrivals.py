"""Requests of an open loop: how they arrive, and how one replica answers them, on a clock that the test moves."""

import numpy as np
import pytest
from numpy.typing import NDArray

from runners.load_testing.arrivals import Batching, poisson_arrivals, serve_arrivals


class Replica:
    """Answers a call in ``call_s``, whatever its size, on its own clock."""

    def __init__(self, call_s: float) -> None:
        self.call_s, self.now, self.calls = call_s, 0.0, list[int]()

    def call(self, count: int) -> None:
        self.calls.append(count)
        self.now += self.call_s

    def wait_until(self, end: float) -> None:
        self.now = max(self.now, end)

    def serve(
        self, arrivals: NDArray[np.float64] | list[float], batching: Batching, give_up_s: float = 1e9
    ) -> NDArray[np.float64]:
        given = np.asarray(arrivals, dtype=np.float64)
        return serve_arrivals(
            self.call, given, batching, give_up_s, begin=0.0, clock=lambda: self.now, wait_until=self.wait_until
        )


def test_arrivals_are_in_order_as_many_as_the_rate_says_and_others_with_another_seed() -> None:
    times = poisson_arrivals(1000.0, 20.0, [0])
    assert len(times) == pytest.approx(20_000, rel=0.05)
    gaps = np.diff(times)
    assert (gaps > 0).all()
    assert times[-1] < 20.0
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.03), "exponential gaps"
    assert not np.array_equal(times[:9], poisson_arrivals(1000.0, 20.0, [1])[:9])
    assert len(poisson_arrivals(0.001, 1.0, [0])) == 1


@pytest.mark.parametrize("load", [0.3, 0.8])
def test_the_mean_latency_is_that_of_pollaczek_and_khinchine(load: float) -> None:
    call_s = 0.01
    arrivals = poisson_arrivals(load / call_s, 1000.0, [0])
    found = Replica(call_s).serve(arrivals, Batching())
    assert found.mean() == pytest.approx(call_s * (1 + load / (2 * (1 - load))), rel=0.05)


def test_a_request_that_comes_while_the_replica_is_busy_has_its_waiting_counted() -> None:
    assert Replica(1.0).serve([0.0, 0.1, 0.2], Batching()).tolist() == pytest.approx([1.0, 1.9, 2.8])


def test_what_waits_is_answered_together_up_to_the_largest_batch() -> None:
    replica = Replica(1.0)
    found = replica.serve([0.0, 0.1, 0.2, 0.3, 9.0], Batching(largest=2))
    assert replica.calls == [1, 2, 1, 1]
    assert found.tolist() == pytest.approx([1.0, 1.9, 1.8, 2.7, 1.0])


def test_the_first_of_a_batch_waits_for_others_but_no_longer_than_it_may_or_until_the_batch_is_full() -> None:
    replica = Replica(1.0)
    found = replica.serve([0.0, 0.1, 5.0, 20.0], Batching(largest=2, wait_s=0.5))
    assert replica.calls == [2, 1, 1]
    assert found.tolist() == pytest.approx([1.1, 1.0, 1.5, 1.5])


def test_after_the_last_moment_nothing_is_answered() -> None:
    found = Replica(1.0).serve([0.0, 0.1, 0.2, 0.3], Batching(), give_up_s=1.5)
    assert np.isinf(found).tolist() == [False, False, True, True]
