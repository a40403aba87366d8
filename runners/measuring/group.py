"""Several candidates and the baseline in one process, in turn: how final fronts and the calibration are timed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runners.backend import Predictor
from runners.measuring.calls import Call
from runners.measuring.deviation import merged_minima, minimum_here
from runners.measuring.pair import open_artifact, open_baseline, pin
from runners.measuring.paired_timing import joined, wide
from runners.measuring.stopwatch import time_interleaved
from runners.workload import Workload
from runners.workload_loading.reference import resolve

Timing = dict[str, Any]


def measure_together(request: Mapping[str, Any]) -> list[Timing]:
    """Time every member against the baseline and beside the others, in this process.

    Args:
        request: ``workload``, ``teacher`` (folder of its weights), ``baseline_threads``, ``budget_s`` for each
            member, ``seed``, where they matter ``least_calls`` and ``baseline_minima`` (see `measure_pair`), and
            ``members``: of each ``artifact``, ``runtime`` and ``threads``. A member whose ``artifact`` is None is the
            baseline itself, opened a second time.

    Returns:
        The fields of `runners.measuring.paired_timing.PairedTiming` of each member, in their order, as its
        `to_json` gives them.
    """
    members = request["members"]
    pin(max(request["baseline_threads"], *(member["threads"] for member in members)))
    workload = resolve(request["workload"])
    example = workload.example()

    def call_of(predictor: Predictor) -> Call:
        return lambda: predictor(example)

    baseline = open_baseline(workload, request["teacher"], request["baseline_threads"])
    calls = [call_of(_open(workload, request, member)) for member in members]
    timings = time_interleaved(
        call_of(baseline),
        calls,
        budget_s=request["budget_s"],
        seed=request["seed"],
        least_calls=request.get("least_calls", 0),
        known=minimum_here(request.get("baseline_minima", {})),
    )
    return [timing.to_json() for timing in timings]


def _open(workload: Workload, request: Mapping[str, Any], member: Mapping[str, Any]) -> Predictor:
    if member["artifact"] is None:
        return open_baseline(workload, request["teacher"], member["threads"])
    return open_artifact(workload, member, batch=1)


def combine(runs: Sequence[Timing]) -> Timing:
    """One member's timings in several processes as one.

    The speedup is their geometric mean. The interval reaches from the lowest to the highest end of theirs: where
    memory happens to lie, and what the machine does by the minute, differ between processes and not within one.
    """
    together = {name: _mean([run[name] for run in runs]) for name in runs[0] if name.endswith("_ms")}
    counted = {name: sum(run[name] for run in runs) for name in ("blocks", "outliers", "baseline_outliers")}
    lows, highs = zip(*(run["speedup_ci95"] for run in runs), strict=True)
    speedup = float(np.exp(np.mean([np.log(run["speedup"]) for run in runs])))
    apart = wide((max(highs) - min(lows)) / 2 / speedup)
    return {
        **together,
        **counted,
        "speedup": speedup,
        "speedup_ci95": (min(lows), max(highs)),
        "warm_up_s": max(run["warm_up_s"] for run in runs),
        "machine": _worst(runs),
        "baseline_minima": merged_minima(*(run["baseline_minima"] for run in runs)),
        "unstable": joined([*(run["unstable"] for run in runs), apart]),
    }


def _worst(runs: Sequence[Timing]) -> dict[str, Any]:
    """The machine as the last run left it, with the largest excess of the baseline in any."""
    above = [run["machine"]["baseline_excess"] for run in runs if "baseline_excess" in run["machine"]]
    return {**runs[-1]["machine"], **({"baseline_excess": max(above)} if above else {})}


def timing_resolution(runs: Sequence[Timing]) -> float:
    """How far from 1 the intervals of the baseline against itself reach, as a share: less is no difference."""
    return max(max(float(run["speedup_ci95"][1]) - 1, 1 / float(run["speedup_ci95"][0]) - 1) for run in runs)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None
