"""Requests that arrive whether the server is ready or not (an open loop), and how one replica answers them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPIN_S = 2e-4
"""The last part of a wait is spent in a loop: the operating system wakes a sleeping process this much too late."""


def poisson_arrivals(rate_per_s: float, seconds: float, seed: Sequence[int]) -> NDArray[np.float64]:
    """Times in seconds from 0 on at which requests of a Poisson process arrive, in order; at least one."""
    random = np.random.default_rng(seed)
    gaps = random.exponential(1 / rate_per_s, int(rate_per_s * seconds * 1.5) + 50)
    times = np.cumsum(gaps)
    return times[: max(1, int(np.searchsorted(times, seconds)))]


def sleep_until(end: float) -> None:
    """Wait until `time.perf_counter` is at ``end``."""
    while (left := end - time.perf_counter()) > 0:
        if left > SPIN_S:
            time.sleep(left - SPIN_S)


@dataclass(frozen=True)
class Batching:
    """How requests are put together into calls (dynamic batching).

    Attributes:
        largest: Most requests of one call; 1 is no batching.
        wait_s: How long the first request of a call waits for others.
    """

    largest: int = 1
    wait_s: float = 0.0


def serve_arrivals(
    call: Callable[[int], object],
    arrivals: NDArray[np.float64],
    batching: Batching,
    give_up_s: float,
    *,
    begin: float,
    clock: Callable[[], float] = time.perf_counter,
    wait_until: Callable[[float], None] = sleep_until,
) -> NDArray[np.float64]:
    """Answer requests in the order of their arrival; the latency of each in seconds, waiting included.

    A latency counts from the time at which the request should arrive, also where the replica was busy then: a client
    that waits for its last answer before it sends the next request would hide exactly that (coordinated omission).

    Args:
        call: Answers so many requests at once.
        arrivals: When each request arrives, in seconds after ``begin``, in order.
        batching: How many are answered at once.
        give_up_s: No call begins later than this after ``begin``; the latency of what was not answered is infinite.
        begin: On the ``clock``.
        clock: Seconds.
        wait_until: Returns once the clock is there.
    """
    latencies = np.full(len(arrivals), np.inf)
    first = 0
    while first < len(arrivals):
        full = first + batching.largest
        fills = arrivals[full - 1] if full <= len(arrivals) else np.inf
        wait_until(begin + max(arrivals[first], min(fills, arrivals[first] + batching.wait_s)))
        now = clock() - begin
        if now > give_up_s:
            break
        count = min(batching.largest, max(1, int(np.searchsorted(arrivals, now, "right")) - first))
        call(count)
        latencies[first : first + count] = clock() - begin - arrivals[first : first + count]
        first += count
    return latencies
