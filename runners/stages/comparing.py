"""Time the members of a front beside each other and the baseline, in several fresh processes."""

from typing import Any

from runners.measuring.together import combine, measure_together
from runners.processes import call_fresh
from runners.stages.job import StageJob

TIMEOUT_S = 600.0


def run(job: StageJob) -> dict[str, Any]:
    """Figures: ``timings``, for each member's number its speedup, interval and latencies. It writes no files.

    Raises:
        StageFailed: A member crashed or hung.
    """
    members, settings = job.task.settings["members"], job.task.settings
    request = {
        "workload": job.task.workload,
        "teacher": str(job.inputs["teacher"].folder),
        "baseline_threads": settings["baseline_threads"],
        "budget_s": settings["budget_s"],
        "members": [_member(job, number, threads) for number, threads in members.items()],
    }
    runs = [
        call_fresh(
            measure_together, {**request, "seed": job.task.seed + process}, timeout_s=TIMEOUT_S, what="comparing"
        )
        for process in range(settings["processes"])
    ]
    timings = [combine(timings) for timings in zip(*runs, strict=True)]
    return {"timings": dict(zip(members, timings, strict=True))}


def _member(job: StageJob, number: str, threads: int) -> dict[str, Any]:
    lowered = job.inputs[f"trial {number}"]
    return {"artifact": str(lowered.folder), "runtime": lowered.result["runtime"], "threads": threads}
