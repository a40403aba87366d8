"""The program of one replica under load: orders in on standard input, latencies out, as lines of JSON."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from runners.artifacts.exported_folder import open_exported_folder
from runners.load_testing.arrivals import Batching, poisson_arrivals, serve_arrivals
from runners.serving.orders import take_order


def main() -> None:
    """Load the folder and answer calls of every size, then answer at each rate that is asked for."""
    order, answer = take_order()
    batching = Batching(order["batch"], order["wait_ms"] / 1e3)
    with np.load(order["inputs"]) as arrays:
        inputs = [arrays[name] for name in arrays.files]
    predictor = open_exported_folder(Path(order["folder"]), threads=order["threads"], batch=batching.largest)
    calls = {count: tuple(each[:count] for each in inputs) for count in range(1, batching.largest + 1)}
    for given in [*calls.values()] * 2:
        predictor(*given)
    answer({"ready": True})
    for line in sys.stdin:
        asked, call = json.loads(line), lambda count: predictor(*calls[count])
        if asked["rate_per_s"] is None:
            answer(_capacity(call, batching, asked))
        else:
            answer(_under_load(call, batching, order, asked))


def _capacity(call: Callable[[int], Any], batching: Batching, asked: Mapping[str, Any]) -> dict[str, Any]:
    """How many requests a second are answered where each call follows the last one at once."""
    begin, answered = time.perf_counter(), 0
    while (passed := time.perf_counter() - begin) < asked["seconds"]:
        call(batching.largest)
        answered += batching.largest
    return {"capacity_per_s": answered / passed}


def _under_load(
    call: Callable[[int], Any], batching: Batching, order: Mapping[str, Any], asked: Mapping[str, Any]
) -> dict[str, Any]:
    """The latency in seconds of each request that comes to this replica; null where it was given up."""
    seed = [order["seed"], asked["round"], order["replica"]]
    arrivals = poisson_arrivals(asked["rate_per_s"] / order["replicas"], asked["seconds"], seed)
    latencies = serve_arrivals(call, arrivals, batching, 2 * asked["seconds"], begin=time.perf_counter())
    return {"latencies_s": [one if np.isfinite(one) else None for one in latencies.tolist()]}


main()
