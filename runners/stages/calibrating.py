"""Time the baseline against itself: with how many threads it is fastest, and how small a difference can be believed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from runners.measuring.group import combine, measure_together, timing_resolution
from runners.measuring.opening import Baseline
from runners.measuring.paired_timing import PairedTiming, joined
from runners.measuring.tuning import keeps_accuracy
from runners.processes.fresh_process import call_fresh
from runners.stages.comparing import timing_request
from runners.stages.job import StageJob


def run(job: StageJob) -> dict[str, Any]:
    """Figures: those of `threads_to_json`; whether it is ``tuned``; ``resolution`` as a share, the ``speedups`` and
    ``intervals`` behind it, and ``unstable``. It writes no files.

    First the baseline is timed with each number of threads that the settings offer, then on an accelerator with TF32
    and channels_last. Then, called in the fastest way, each of the runs is a fresh process in which the baseline is
    opened twice; there is no true difference. A number of threads that gains no more than the resolution so found
    cannot be told apart from the fewest, and the next best one is taken.
    """
    fewest, *others = sorted(job.task.settings["offered"])
    timings = _time_more_threads(job, fewest, others)
    left = dict(timings)
    while True:
        plain = _baseline(job, fastest_threads(fewest, left))
        baseline = replace(plain, tuned=_is_better_tuned(job, plain))
        runs = [_time(job, baseline, [baseline], process)[0] for process in _processes(job)]
        resolution = timing_resolution(runs)
        if plain.threads == fewest or left.pop(plain.threads).speedup_ci95[0] > 1 + resolution:
            break
    return {
        **threads_to_json(fewest, timings, plain.threads),
        "tuned": baseline.tuned,
        "resolution": resolution,
        "speedups": [run.speedup for run in runs],
        "intervals": [list(run.speedup_ci95) for run in runs],
        "unstable": joined(run.unstable for run in runs),
    }


def fastest_threads(fewest: int, timings: Mapping[int, PairedTiming]) -> int:
    """The number of threads with which the baseline is fastest; of those that cannot be told apart, the fewest.

    A number counts as faster where its timing is stable and its interval lies above 1. Two such numbers are told apart
    where their intervals do not overlap.

    Args:
        fewest: The number with which the others are compared.
        timings: The baseline with each other number of threads, against itself with the fewest.
    """
    faster = {threads: timing for threads, timing in timings.items() if _is_faster(timing)}
    if not faster:
        return fewest
    lowest = max(faster.values(), key=lambda timing: timing.speedup).speedup_ci95[0]
    return min(threads for threads, timing in faster.items() if timing.speedup_ci95[1] >= lowest)


def threads_to_json(fewest: int, timings: Mapping[int, PairedTiming], chosen: int) -> dict[str, Any]:
    """``threads``, the number ``chosen``, and ``by_threads``: for each number that was timed its ``speedup`` over the
    fewest, with interval, its ``latency_p50_ms``, and why it is ``unstable``.
    """
    shown = ("speedup", "speedup_ci95", "latency_p50_ms", "unstable")
    by_threads = {str(n): {name: timing.to_json()[name] for name in shown} for n, timing in timings.items()}
    if timings:
        p50_ms = next(iter(timings.values())).baseline_p50_ms
        itself = {"speedup": 1.0, "speedup_ci95": [1.0, 1.0], "latency_p50_ms": p50_ms, "unstable": ""}
        by_threads = {str(fewest): itself, **by_threads}
    return {"threads": chosen, "by_threads": by_threads}


def _time_more_threads(job: StageJob, fewest: int, others: Sequence[int]) -> dict[int, PairedTiming]:
    """The baseline with each of ``others``, against itself with the fewest threads, over all processes.

    A number that is not faster in one process is left out of the next: it cannot be faster in all together.
    """
    runs: dict[int, list[PairedTiming]] = {threads: [] for threads in others}
    for process in _processes(job):
        left = [threads for threads in others if all(map(_is_faster, runs[threads]))]
        candidates = [_baseline(job, threads) for threads in left]
        for threads, timing in zip(left, _time(job, _baseline(job, fewest), candidates, process), strict=True):
            runs[threads].append(timing)
    return {threads: combine(timings) for threads, timings in runs.items()}


def _is_better_tuned(job: StageJob, plain: Baseline) -> bool:
    """Whether TF32 and channels_last make the baseline faster and keep its accuracy; found out where that is asked."""
    wanted = job.task.settings.get("tuned", False)
    if wanted is not None:
        return bool(wanted)
    tuned = replace(plain, tuned=True)
    if not call_fresh(keeps_accuracy, job.task.workload, plain, tuned, what=job.task.stage):
        return False
    return _is_faster(combine([_time(job, plain, [tuned], process)[0] for process in _processes(job)]))


def _is_faster(timing: PairedTiming) -> bool:
    return not timing.unstable and timing.speedup_ci95[0] > 1


def _processes(job: StageJob) -> range:
    return range(job.task.settings["processes"])


def _baseline(job: StageJob, threads: int) -> Baseline:
    return Baseline(job.inputs["teacher"].folder, threads)


def _time(job: StageJob, baseline: Baseline, candidates: Sequence[Baseline], process: int) -> list[PairedTiming]:
    """The baseline called as each of ``candidates``, against itself called as ``baseline``, in a fresh process."""
    if not candidates:
        return []
    request = timing_request(job, *candidates, baseline=baseline, process=process)
    timings: list[PairedTiming] = call_fresh(measure_together, request, what=job.task.stage)
    return timings
