"""Time the baseline against itself: how small a difference this machine lets be believed."""

from typing import Any

from runners.measuring.deviation import merged_minima
from runners.measuring.group import timing_resolution
from runners.measuring.paired_timing import joined
from runners.stages.comparing import time_members
from runners.stages.job import StageJob


def run(job: StageJob) -> dict[str, Any]:
    """Figures: ``resolution`` as a share, the ``speedups`` and ``intervals`` behind it, ``unstable``, and
    ``baseline_minima``, what is known of the machine afterwards.

    Each of the runs is a fresh process in which the baseline is opened twice; there is no true difference.
    """
    itself = {"artifact": None, "threads": job.task.settings["baseline_threads"]}
    runs = [timings[0] for timings in time_members(job, [itself], what="calibrating")]
    return {
        "resolution": timing_resolution(runs),
        "speedups": [run["speedup"] for run in runs],
        "intervals": [list(run["speedup_ci95"]) for run in runs],
        "unstable": joined(run["unstable"] for run in runs),
        "baseline_minima": merged_minima(*(run["baseline_minima"] for run in runs)),
    }
