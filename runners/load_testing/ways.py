"""The ways to serve that a load test tries."""

from collections.abc import Sequence
from itertools import product

from runners.load_testing.load_curve import ServingWay
from spaces.errors import RequestError

BATCHES = (1, 8)
WAITS_MS = (0.0, 2.0)
"""What is tried where nothing is asked for."""


def serving_ways(
    cores: int,
    replicas: Sequence[int] = (),
    threads: Sequence[int] = (),
    batches: Sequence[int] = (),
    waits_ms: Sequence[float] = (),
) -> tuple[ServingWay, ...]:
    """Every combination that fits on ``cores``; a wait only where there is a batch to wait for.

    Without ``replicas`` there is one, and as many as fit; without ``threads`` a replica has all that fit beside the
    others.

    Raises:
        RequestError: Nothing that was asked for fits.
    """
    processes = _processes(cores, replicas, threads)
    if not processes:
        raise RequestError(
            f"this machine has {cores} usable cores, fewer than the replicas times the threads that were "
            "asked for; give fewer of them"
        )
    batching = [(batch, wait) for batch, wait in product(batches or BATCHES, waits_ms or WAITS_MS)]
    kept = dict.fromkeys((batch, wait if batch > 1 else 0.0) for batch, wait in batching)
    return tuple(ServingWay(*process, *how) for process, how in product(processes, kept))


def _processes(cores: int, replicas: Sequence[int], threads: Sequence[int]) -> list[tuple[int, int]]:
    """Replicas with the threads of each."""
    if threads:
        found = [(count, each) for each in threads for count in replicas or (1, max(1, cores // each))]
    else:
        found = [(count, max(1, cores // count)) for count in replicas or (1, cores)]
    return [pair for pair in dict.fromkeys(found) if pair[0] * pair[1] <= cores]
