"""Which cores a replica runs on."""

import os


def pin(replica: int, threads: int) -> None:
    """Give each replica cores of its own, as a server would."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, [cores[(replica * threads + i) % len(cores)] for i in range(threads)])
