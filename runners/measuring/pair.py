"""What runs in the process that measures: both predictors are opened, judged, and timed in turn."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runners.backend import Predictor, find_backend
from runners.measuring.latency import time_pair
from runners.measuring.quality import predict, quality
from runners.runner import StageFailed
from runners.workload import Workload
from runners.workload_reference import resolve

EVALUATION_BATCH = 64


def measure_pair(request: Mapping[str, Any]) -> dict[str, Any]:
    """Judge and time the artifact against the baseline, in this process.

    Args:
        request: ``workload``, ``artifact`` and ``teacher`` folders (the latter may be None), ``runtime``, ``threads``,
            ``baseline_threads``, ``splits``, ``budget_s``, ``seed``.

    Returns:
        Fields of `runners.measuring.measurement.Measurement`, with ``baseline_p50_ms`` and ``blocks``.

    Raises:
        StageFailed: The artifact gives outputs of another shape than the baseline, or not finite.
    """
    widest = max(request["threads"], request["baseline_threads"])
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:widest])
    workload = resolve(request["workload"])
    figures = _judge(workload, request)
    candidate, baseline = _open(workload, request, batch=1), _open_baseline(workload, request)
    example = workload.example()
    if candidate(example).shape != baseline(example).shape:
        raise StageFailed(f"the artifact gives {candidate(example).shape}, the baseline {baseline(example).shape}")
    timing = time_pair(
        lambda: candidate(example), lambda: baseline(example), budget_s=request["budget_s"], seed=request["seed"]
    )
    return {**figures, **vars(timing)}


def _judge(workload: Workload, request: Mapping[str, Any]) -> dict[str, Any]:
    predictor = _open(workload, request, batch=EVALUATION_BATCH)
    figures: dict[str, Any] = {}
    for name in request["splits"]:
        value, interval = quality(workload, *predict(predictor, workload.splits[name], EVALUATION_BATCH))
        if name == "validation":
            figures.update(accuracy=value, accuracy_ci95=interval)
        else:
            figures[f"accuracy_{name}"] = value
    return figures


def _open(workload: Workload, request: Mapping[str, Any], batch: int) -> Predictor:
    return find_backend(request["runtime"]).open(
        Path(request["artifact"]), threads=request["threads"], batch=batch, build=workload.model
    )


def _open_baseline(workload: Workload, request: Mapping[str, Any]) -> Predictor:
    """The teacher in eager fp32; without a folder of weights, with new ones, which take the same time."""
    from runners.torch_predictor import torch_predictor
    from runners.weights import load_network

    teacher = request["teacher"]
    network = load_network(workload.model, Path(teacher)) if teacher else workload.model()
    return torch_predictor(network.eval(), request["baseline_threads"])
