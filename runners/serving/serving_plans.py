"""The ways to serve that a space offers, among which the baseline's throughput is that of the best."""

from itertools import product

from spaces.plans import ServingPlan
from spaces.search_space import SearchSpace


def serving_plans(space: SearchSpace) -> tuple[ServingPlan, ...]:
    """The plans that ``space`` offers and the machine has cores for, to which no further replica or thread fits.

    On four cores with all numbers of both they are 1 replica with 4 threads, 2 with 2, and 4 with 1. Of the plans that
    leave cores idle there is 1 replica with 1 thread alone, which other programs disturb least: each plan costs a start
    of all its processes, and many calls at once make good use of every core. Where the threads of a call are given, all
    have as many.
    """
    least = space.environment.call_threads or 1
    offered = {axis.name: {*map(int, axis.values)} for axis in space.axes if axis.name in ("replicas", "threads")}
    threads = {least} if space.environment.call_threads else {1, *offered.get("threads", ())}
    pairs = product({1, *offered.get("replicas", ())}, threads)
    fitting = [pair for pair in sorted(pairs) if pair[0] * pair[1] <= space.environment.cpu_cores]
    fullest = [pair for pair in fitting if not any(_holds(other, pair) for other in fitting if other != pair)]
    return tuple(ServingPlan(*pair) for pair in dict.fromkeys([(1, least), *fullest]))


def _holds(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether ``one`` has all replicas and all threads of ``other``."""
    return one[0] >= other[0] and one[1] >= other[1]
