"""Time the baseline against itself: how small a difference this machine lets be believed."""

from typing import Any

from runners.measuring.together import measure_together, smallest_believable
from runners.processes import call_fresh
from runners.stages.job import StageJob

TIMEOUT_S = 300.0


def run(job: StageJob) -> dict[str, Any]:
    """Figures: ``resolution`` as a share, the ``speedups`` and ``intervals`` behind it, and ``unstable``.

    Each of the runs is a fresh process in which the baseline is opened twice; there is no true difference.
    """
    settings = job.task.settings
    request = {
        "workload": job.task.workload,
        "teacher": str(job.inputs["teacher"].folder),
        "baseline_threads": settings["baseline_threads"],
        "budget_s": settings["budget_s"],
        "members": [{"artifact": None, "threads": settings["baseline_threads"]}],
    }
    runs = [
        call_fresh(
            measure_together, {**request, "seed": job.task.seed + process}, timeout_s=TIMEOUT_S, what="calibrating"
        )[0]
        for process in range(settings["processes"])
    ]
    return {
        "resolution": smallest_believable(runs),
        "speedups": [run["speedup"] for run in runs],
        "intervals": [list(run["speedup_ci95"]) for run in runs],
        "unstable": next((run["unstable"] for run in runs if run["unstable"]), ""),
    }
