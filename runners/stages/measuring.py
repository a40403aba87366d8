"""Measure the artifact: quality and speed in pairs with the baseline, then as replicas that serve side by side."""

from typing import Any

import numpy as np

from runners.measuring.footprint import Footprint
from runners.measuring.opening import Artifact, Baseline
from runners.measuring.pair import PairRequest, PairResult, evaluate_artifact, measure_pair
from runners.measuring.quality import Accuracies
from runners.measuring.replicas import Serving, serve
from runners.measuring.result import Speed, trained_result, untrained_result
from runners.measuring.stopwatch import TimingSettings
from runners.processes.fresh_process import call_fresh
from runners.stages.job import StageJob

SERVING_S = 0.3


def run(job: StageJob) -> dict[str, Any]:
    """Figures: those of `runners.measuring.result`. It writes no files.

    Where the settings name no splits, the artifact is untrained, and what only training gives is left out. Where there
    is an input ``speed``, that is such a result of the same candidate: the artifact is evaluated, and timed no more.

    Raises:
        StageFailed: The artifact crashed, hung, or gave outputs that are wrong in shape or not finite.
    """
    lowered = job.parent.result
    artifact = Artifact(job.parent.folder, lowered["runtime"], job.task.settings["serving"]["threads"])
    accuracies: Accuracies | None
    if "speed" in job.inputs:
        speed, accuracies = Speed.from_json(job.inputs["speed"].result), _evaluate(job, artifact)
    else:
        pair = _measure(job, artifact)
        speed, accuracies = Speed(pair.timing, pair.device_p50_ms, _serve(job, artifact)), pair.accuracies
    footprint = Footprint.from_json(lowered)
    if accuracies is None:
        return untrained_result(speed, footprint)
    return trained_result(speed, footprint, accuracies, lowered["train_seconds"])


def _evaluate(job: StageJob, artifact: Artifact) -> Accuracies:
    given = job.task.workload, artifact, tuple(job.task.settings["splits"])
    accuracies: Accuracies = call_fresh(evaluate_artifact, *given, what="the measuring process")
    return accuracies


def _measure(job: StageJob, artifact: Artifact) -> PairResult:
    settings = job.task.settings
    request = PairRequest(
        workload=job.task.workload,
        artifact=artifact,
        baseline=Baseline(job.inputs["teacher"].folder, settings["baseline_threads"]),
        splits=tuple(settings["splits"]),
        settings=TimingSettings(settings["budget_s"], job.task.seed, least_calls=settings.get("least_calls", 0)),
        baseline_minima=job.task.baseline_minima,
    )
    pair: PairResult = call_fresh(measure_pair, request, what="the measuring process")
    return pair


def _serve(job: StageJob, artifact: Artifact) -> Serving:
    split = job.workload.splits["validation"]
    inputs = split.batch(np.arange(job.workload.serving_batch) % len(split))[0]
    return serve(artifact, job.task.workload, job.task.settings["serving"]["replicas"], inputs, SERVING_S)
