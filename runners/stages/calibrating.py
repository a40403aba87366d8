"""Time the baseline against itself: how small a difference this machine lets be believed."""

from typing import Any

from runners.measuring.group import timing_resolution
from runners.measuring.paired_timing import joined
from runners.stages.comparing import baseline_of, time_members
from runners.stages.job import StageJob


def run(job: StageJob) -> dict[str, Any]:
    """Figures: ``resolution`` as a share, the ``speedups`` and ``intervals`` behind it, and
    ``unstable``.

    Each of the runs is a fresh process in which the baseline is opened twice; there is no true difference.
    """
    runs = [timings[0] for timings in time_members(job, baseline_of(job))]
    return {
        "resolution": timing_resolution(runs),
        "speedups": [run.speedup for run in runs],
        "intervals": [list(run.speedup_ci95) for run in runs],
        "unstable": joined(run.unstable for run in runs),
    }
