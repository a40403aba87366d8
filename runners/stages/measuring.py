"""Measure the artifact: quality and speed in pairs with the baseline, then as replicas that serve side by side."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from runners.measuring.measurement import Measurement, figures_of, without_accuracy
from runners.measuring.pair import judge_artifact, measure_pair
from runners.measuring.replicas import Serving, serve
from runners.processes.fresh_process import call_fresh
from runners.stages.job import StageJob
from spaces.plans import ServingPlan

SERVING_S = 0.3
EXTRA = ("baseline_p50_ms", "blocks", "baseline_minima")
UNTRAINED = {"accuracy": 0.0, "accuracy_ci95": (0.0, 0.0)}
"""Stands for what an untrained artifact is not asked for, so that all else is checked as in any measurement."""


def run(job: StageJob) -> dict[str, Any]:
    """Figures: the fields of `Measurement`, and those named in `EXTRA`. It writes no files.

    Where the settings name no splits, the artifact is untrained, and what only training gives is left out. Where there
    is an input ``speed``, that is such a result of the same candidate: the artifact is judged, and timed no more.

    Raises:
        StageFailed: The artifact crashed, hung, or gave outputs that are wrong in shape or not finite.
    """
    carried = {name: job.parent.result[name] for name in ("size_mib", "macs", "parameters", "train_seconds")}
    if "speed" in job.inputs:
        figures = {
            **job.inputs["speed"].result,
            **_in_fresh_process(judge_artifact, _judging(job)),
            **carried,
            "baseline_minima": {},
        }
        return _checked(figures)
    paired = _in_fresh_process(measure_pair, _timing(job))
    figures = {**paired, **vars(_serve(job)), **carried}
    return _checked(figures) if job.task.settings["splits"] else without_accuracy(_checked({**figures, **UNTRAINED}))


def _checked(figures: dict[str, Any]) -> dict[str, Any]:
    return {**Measurement.from_json(figures_of(figures)).to_json(), **{name: figures[name] for name in EXTRA}}


def _in_fresh_process(what: Callable[[Mapping[str, Any]], dict[str, Any]], request: dict[str, Any]) -> dict[str, Any]:
    figures: dict[str, Any] = call_fresh(what, request, what="the measuring process")
    return figures


def _plan(job: StageJob) -> ServingPlan:
    return ServingPlan(**job.task.settings["serving"])


def _judging(job: StageJob) -> dict[str, Any]:
    return {
        "workload": job.task.workload,
        "artifact": str(job.parent.folder),
        "runtime": job.parent.result["runtime"],
        "threads": _plan(job).threads,
        "splits": job.task.settings["splits"],
    }


def _timing(job: StageJob) -> dict[str, Any]:
    return {
        **_judging(job),
        "teacher": str(job.inputs["teacher"].folder),
        "baseline_threads": job.task.settings["baseline_threads"],
        "budget_s": job.task.settings["budget_s"],
        "least_calls": job.task.settings.get("least_calls", 0),
        "seed": job.task.seed,
        "baseline_minima": job.task.baseline_minima,
    }


def _serve(job: StageJob) -> Serving:
    split = job.workload.splits["validation"]
    chosen = np.arange(job.workload.serving_batch) % len(split)
    return serve(
        artifact=job.parent.folder,
        runtime=job.parent.result["runtime"],
        workload=job.task.workload,
        plan=_plan(job),
        inputs=split.batch(chosen)[0],
        seconds=SERVING_S,
    )
