"""Time the members of a front beside each other and the baseline, in several fresh processes."""

from collections.abc import Sequence
from typing import Any

from runners.measuring.group import Timing, combine, measure_together
from runners.processes.fresh_process import call_fresh
from runners.stages.job import StageJob


def run(job: StageJob) -> dict[str, Any]:
    """Figures: ``timings``, for each member's number its speedup, interval and latencies, and
    ``baseline_minima``, what the runs add to what is known of the machine. It writes no files.

    Raises:
        StageFailed: A member crashed or hung.
    """
    threads = job.task.settings["members"]
    runs = time_members(job, [_member(job, number, threads[number]) for number in threads], what="comparing")
    timings = [combine(timings) for timings in zip(*runs, strict=True)]
    minima = [timing.pop("baseline_minima") for timing in timings]  # the same of each: they were timed in one
    return {"timings": dict(zip(threads, timings, strict=True)), "baseline_minima": minima[0]}


def time_members(job: StageJob, members: Sequence[dict[str, Any]], what: str) -> list[list[Timing]]:
    """The timings of ``members`` in each of the processes that the stage's settings ask for."""
    settings = job.task.settings
    request = {
        "workload": job.task.workload,
        "teacher": str(job.inputs["teacher"].folder),
        "baseline_threads": settings["baseline_threads"],
        "budget_s": settings["budget_s"],
        "least_calls": settings.get("least_calls", 0),
        "members": list(members),
        "baseline_minima": job.task.baseline_minima,
    }
    return [
        call_fresh(measure_together, {**request, "seed": job.task.seed + process}, what=what)
        for process in range(settings["processes"])
    ]


def _member(job: StageJob, number: str, threads: int) -> dict[str, Any]:
    lowered = job.inputs[f"trial {number}"]
    return {"artifact": str(lowered.folder), "runtime": lowered.result["runtime"], "threads": threads}
