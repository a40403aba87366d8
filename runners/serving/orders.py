"""How the program of a replica begins: with its first order, and a way to answer."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from runners.machine.telemetry import disable_telemetry
from runners.processes.parent_death import die_with_parent_process


def take_order() -> tuple[dict[str, Any], Callable[[Mapping[str, Any]], None]]:
    """The first line of standard input, and what writes an answer as a line of JSON to standard output.

    The program is on cores of its own then, by the ``replica`` and the ``threads`` of the order, and ends with its
    parent.
    """
    die_with_parent_process()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a runtime that prints must not garble the answers
    disable_telemetry()
    order = json.loads(sys.stdin.readline())
    _pin(order["replica"], order["threads"])
    return order, lambda answer: print(json.dumps(answer), file=answers, flush=True)


def _pin(replica: int, threads: int) -> None:
    """Give each replica cores of its own, as a server would."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, [cores[(replica * threads + i) % len(cores)] for i in range(threads)])
