"""The inputs on which a network is timed that leaves layers out for some of them.

One input would say how fast that one is, and random numbers are no inputs of anybody.
"""

import numpy as np

from runners.inputs import Arrays, read
from runners.workload import Workload

TIMED_INPUTS = 64
"""The share of inputs that leave early is known to a standard deviation of 6 points at most."""


def inputs_to_time(workload: Workload, batch: int, count: int) -> list[Arrays]:
    """The inputs of ``count`` calls, of ``batch`` examples each, evenly spaced over the validation split.

    Where the split has fewer examples, some come more than once.
    """
    split = workload.splits["validation"]
    chosen = np.linspace(0, len(split), batch * count, endpoint=False).astype(np.int64)
    return [read(split, chosen[first::count])[0] for first in range(count)]
