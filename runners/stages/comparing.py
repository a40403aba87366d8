"""Time the members of a front, or the variants of a candidate, beside each other and the baseline.

That is done in several fresh processes.
"""

from typing import Any

from runners.measuring.contrasts import BASELINE, combine_contrasts, measure_contrasts
from runners.measuring.group import combine, measure_together
from runners.measuring.opening import Artifact, Baseline, TimingRequest
from runners.measuring.paired_timing import PairedTiming
from runners.measuring.stopwatch import TimingSettings
from runners.processes.fresh_process import call_fresh
from runners.stages.job import StageJob


def run(job: StageJob) -> dict[str, Any]:
    """Figures: ``timings``, the fields of `PairedTiming` for each member's number. It writes no files.

    Where the settings name ``arms`` in the place of members, the figures are ``contrasts`` of their times, each with
    ``value``, ``ci95`` and ``unstable``.

    Raises:
        StageFailed: A member crashed or hung.
    """
    if "arms" in job.task.settings:
        return {"contrasts": _contrasts(job)}
    threads = job.task.settings["members"]
    runs = time_members(job, *(_member(job, number, threads[number]) for number in threads))
    timings = [combine(timings) for timings in zip(*runs, strict=True)]
    return {"timings": {number: timing.to_json() for number, timing in zip(threads, timings, strict=True)}}


def _contrasts(job: StageJob) -> dict[str, Any]:
    """The contrasts that the settings ask for, each over all processes."""
    settings = job.task.settings
    threads = {name: arm["threads"] for name, arm in settings["arms"].items()}
    arms = tuple(_artifact(job, name, threads[name]) for name in threads)
    names, contrasts = (BASELINE, *threads), settings["contrasts"]
    requests = (timing_request(job, *arms, process=process) for process in range(settings["processes"]))
    runs = [call_fresh(measure_contrasts, one, names, contrasts, what=job.task.stage) for one in requests]
    return {name: combine_contrasts([run[name] for run in runs]).to_json() for name in contrasts}


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
    return _artifact(job, f"trial {number}", threads)


def _artifact(job: StageJob, role: str, threads: int) -> Artifact:
    lowered, tuned = job.inputs[role], job.task.settings.get("baseline_tuned", False)
    timed_inputs = lowered.result.get("timed_inputs", 1)
    return Artifact(lowered.folder, lowered.result["runtime"], threads, tuned, timed_inputs)
