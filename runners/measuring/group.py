"""Several networks and the baseline timed in one process, in the same blocks: final fronts and the calibration."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from runners.measuring.calls import Call
from runners.measuring.interval import Ratio, half_width_of_mean
from runners.measuring.opening import TimingRequest, call_to_time
from runners.measuring.pair import prepare_process
from runners.measuring.paired_timing import PairedTiming, joined
from runners.measuring.stopwatch import time_interleaved
from runners.workload_loading.reference import resolve


def measure_together(request: TimingRequest) -> list[PairedTiming]:
    """Time every candidate against the baseline and beside the others, in this process; in their order."""
    baseline, *candidates = opened_calls(request)
    timings = time_interleaved(baseline, candidates, request.settings)
    return [replace(timing, batch=request.batch) for timing in timings]


def opened_calls(request: TimingRequest) -> list[Call]:
    """Prepare this process, open the baseline and every candidate in it, and give a call of each in that order."""
    prepare_process(request.cores)
    workload, batch = resolve(request.workload), request.batch
    return [
        call_to_time(each, each.open(workload.network, batch), workload, batch)
        for each in (request.baseline, *request.candidates)
    ]


def combine(runs: Sequence[PairedTiming]) -> PairedTiming:
    """One candidate's timings in several processes as one; the speedup and its interval are `over_processes`."""
    if len(runs) == 1:
        return runs[0]
    found = over_processes([Ratio(run.speedup, *run.speedup_ci95) for run in runs])
    p99s = [run.latency_p99_ms for run in runs if run.latency_p99_ms is not None]
    return PairedTiming(
        speedup=found.value,
        speedup_ci95=(found.low, found.high),
        latency_p50_ms=_mean(run.latency_p50_ms for run in runs),
        latency_p90_ms=_mean(run.latency_p90_ms for run in runs),
        latency_p99_ms=_mean(p99s) if len(p99s) == len(runs) else None,
        baseline_p50_ms=_mean(run.baseline_p50_ms for run in runs),
        blocks=sum(run.blocks for run in runs),
        outliers=sum(run.outliers for run in runs),
        baseline_outliers=sum(run.baseline_outliers for run in runs),
        warm_up_s=max(run.warm_up_s for run in runs),
        unstable=joined(run.unstable for run in runs),
        machine=runs[-1].machine,
        batch=runs[-1].batch,
        timed_inputs=runs[-1].timed_inputs,
    )


def over_processes(runs: Sequence[Ratio]) -> Ratio:
    """What was found in several processes as one: their geometric mean, with its interval.

    Where memory happens to lie, and what the machine does by the minute, differ between processes and not within one,
    so the processes are the sample: the interval is that of Student for the mean of their logarithms (Kalibera & Jones,
    ISMM 2013), joined in quadrature by the mean of their own half-widths, since what is wrong with one of them, such as
    the choice of the quantile, may be wrong with all alike.
    """
    if len(runs) == 1:
        return runs[0]
    logs = np.log([run.value for run in runs])
    between = half_width_of_mean(logs)
    below = np.hypot(between, np.mean([np.log(run.value / run.low) for run in runs]))
    above = np.hypot(between, np.mean([np.log(run.high / run.value) for run in runs]))
    value = float(np.exp(logs.mean()))
    return Ratio(value, value * float(np.exp(-below)), value * float(np.exp(above)))


def timing_resolution(runs: Sequence[PairedTiming]) -> float:
    """How far from 1 the intervals of the baseline against itself reach, as a share: less is no difference."""
    return max(max(run.speedup_ci95[1] - 1, 1 / run.speedup_ci95[0] - 1) for run in runs)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
