"""Measure the artifact: quality and speed in pairs with the baseline, then as replicas that serve side by side."""

from typing import Any

import numpy as np

from runners.measuring.energy import device_state
from runners.measuring.measurement import Measurement
from runners.measuring.pair import measure_pair
from runners.parallelism.replicas import Serving, serve
from runners.processes import call_fresh
from runners.stages.job import StageJob
from spaces.plans import ServingPlan

TIMEOUT_S = 300.0
SERVING_S = 0.3


def run(job: StageJob) -> dict[str, Any]:
    """Figures: the fields of `Measurement`, ``baseline_p50_ms``, ``blocks`` and ``machine``. It writes no files.

    ``machine`` is what clocks and throttling the machine shows, right after the timing.

    Raises:
        StageFailed: The artifact crashed, hung, or gave outputs that are wrong in shape or not finite.
    """
    settings = job.task.settings
    plan = ServingPlan(**settings["serving"])
    origin = job.parent.result
    paired = call_fresh(measure_pair, _request(job, plan), timeout_s=TIMEOUT_S, what="the measuring process")
    served = _serve(job, plan)
    extra = {name: paired.pop(name) for name in ("baseline_p50_ms", "blocks")}
    extra["machine"] = device_state()
    carried = {name: origin[name] for name in ("size_mib", "macs", "parameters", "train_seconds")}
    return {**Measurement(**paired, **vars(served), **carried).to_json(), **extra}


def _request(job: StageJob, plan: ServingPlan) -> dict[str, Any]:
    settings = job.task.settings
    return {
        "workload": job.task.workload,
        "artifact": str(job.parent.folder),
        "teacher": str(job.inputs["teacher"].folder),
        "runtime": job.parent.result["runtime"],
        "threads": plan.threads,
        "baseline_threads": settings["baseline_threads"],
        "splits": settings["splits"],
        "budget_s": settings["budget_s"],
        "seed": job.task.seed,
    }


def _serve(job: StageJob, plan: ServingPlan) -> Serving:
    split = job.workload.splits["validation"]
    chosen = np.arange(job.workload.serving_batch) % len(split)
    return serve(
        artifact=job.parent.folder,
        runtime=job.parent.result["runtime"],
        workload=job.task.workload,
        plan=plan,
        inputs=split.batch(chosen)[0],
        seconds=SERVING_S,
    )
