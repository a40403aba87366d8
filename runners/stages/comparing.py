"""Time the members of a front beside each other and the baseline, in several fresh processes."""

from typing import Any

from runners.measuring.group import combine, measure_together
from runners.measuring.opening import Artifact, Baseline, TimingRequest
from runners.measuring.paired_timing import PairedTiming
from runners.measuring.stopwatch import TimingSettings
from runners.processes.fresh_process import call_fresh
from runners.stages.job import StageJob


def run(job: StageJob) -> dict[str, Any]:
    """Figures: ``timings``, the fields of `PairedTiming` for each member's number. It writes no files.

    Raises:
        StageFailed: A member crashed or hung.
    """
    threads = job.task.settings["members"]
    runs = time_members(job, *(_member(job, number, threads[number]) for number in threads))
    timings = [combine(timings) for timings in zip(*runs, strict=True)]
    return {"timings": {number: timing.to_json() for number, timing in zip(threads, timings, strict=True)}}


def time_members(job: StageJob, *members: Artifact | Baseline) -> list[list[PairedTiming]]:
    """The timings of ``members`` in each of the processes that the stage's settings ask for."""
    return [
        call_fresh(measure_together, timing_request(job, *members, process=process), what=job.task.stage)
        for process in range(job.task.settings["processes"])
    ]


def timing_request(
    job: StageJob, *candidates: Artifact | Baseline, baseline: Baseline | None = None, process: int = 0
) -> TimingRequest:
    """What the stage's settings ask for; each process has a seed of its own.

    Args:
        job: The stage.
        candidates: What is timed.
        baseline: What they are compared with; None is the one that the settings name.
        process: The number of the process.
    """
    settings, seed = job.task.settings, job.task.seed + process
    return TimingRequest(
        workload=job.task.workload,
        candidates=candidates,
        baseline=baseline or baseline_of(job),
        settings=TimingSettings(settings["budget_s"], seed, least_calls=settings.get("least_calls", 0)),
        batch=settings.get("batch", 1),
    )


def baseline_of(job: StageJob) -> Baseline:
    """The baseline that the stage's settings ask for."""
    settings = job.task.settings
    return Baseline(job.inputs["teacher"].folder, settings["baseline_threads"], settings.get("baseline_tuned", False))


def _member(job: StageJob, number: str, threads: int) -> Artifact:
    lowered = job.inputs[f"trial {number}"]
    return Artifact(lowered.folder, lowered.result["runtime"], threads, job.task.settings.get("baseline_tuned", False))
