"""The program of one serving replica: orders in on standard input, figures out on standard output, as JSON lines."""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from runners.measuring.opening import Artifact
from runners.serving.orders import take_order


def main() -> None:
    """Load, answer once, report; wait for the word; serve for the time given; report."""
    order, answer = take_order()
    with np.load(order["inputs"]) as arrays:
        given = [arrays[name] for name in arrays.files]
    each = len(given) // order["calls"]
    inputs = [tuple(given[first : first + each]) for first in range(0, len(given), each)]
    begin = time.perf_counter()
    artifact = Artifact(Path(order["folder"]), order["runtime"], order["threads"], order["tuned"])
    predictor = artifact.open(lambda: _build(order["workload"], order["keywords"]), len(inputs[0][0]))
    predictor(*inputs[0])
    answer({"load_ms": (time.perf_counter() - begin) * 1e3})
    sys.stdin.readline()
    answer(_run(predictor, inputs, order["seconds"]))


def _run(predictor: Any, inputs: Any, seconds: float) -> dict[str, float]:
    calls, begin = 0, time.perf_counter()
    while (passed := time.perf_counter() - begin) < seconds or calls == 0:
        predictor(*inputs[calls % len(inputs)])
        calls += 1
    return {"calls": calls, "seconds": max(passed, 1e-9), "peak_memory_mib": _peak_memory_mib()}


def _peak_memory_mib() -> float:
    """Peak resident memory of this program; ``ru_maxrss`` would begin at what its parent had when it forked."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 1024


def _build(workload: Any, keywords: list[str]) -> Any:
    """The workload's network; its data, which say how the network is called, are not loaded for that."""
    from runners.judged_network import judged
    from runners.workload_loading.reference import resolve

    resolved = resolve(workload)
    return judged(resolved.model(), keywords, resolved.output)


main()
