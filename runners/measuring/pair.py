"""What runs in the process that measures: the artifact is judged, opened beside the baseline, and timed in turn."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.backend import Predictor
from runners.backends import find_backend
from runners.measuring.deviation import minimum_here
from runners.measuring.quality import EVALUATION_BATCH, predict, quality
from runners.measuring.stopwatch import time_pair
from runners.runner import StageFailed
from runners.workload import Split, Workload
from runners.workload_loading.reference import resolve

SAME_ANSWER = 1e-3
"""Largest difference between two answers to one input, as a share of the largest output: threads vary the sums."""


def measure_pair(request: Mapping[str, Any]) -> dict[str, Any]:
    """Judge and time the artifact against the baseline, in this process.

    Args:
        request: ``workload``, ``artifact`` and ``teacher`` folders (the latter may be None), ``runtime``, ``threads``,
            ``baseline_threads``, ``splits``, ``budget_s``, ``seed``, and where they matter ``least_calls``, ``rest_s``
            and ``baseline_minima``, see `time_interleaved`. Without splits the artifact is not judged.

    Returns:
        The accuracies among the fields of `runners.measuring.measurement.Measurement`, ``device_p50_ms``, and the
        fields of `runners.measuring.paired_timing.PairedTiming` as its `to_json` gives them.

    Raises:
        StageFailed: The artifact gives outputs of another shape than the baseline, or not finite, or other ones
            each time that it is asked.
    """
    pin(max(request["threads"], request["baseline_threads"]))
    workload = resolve(request["workload"])
    figures = _judge(workload, request)
    candidate = open_artifact(workload, request, batch=1)
    baseline = open_baseline(workload, request["teacher"], request["baseline_threads"])
    example = workload.example()
    before = candidate(example)
    if before.shape != baseline(example).shape:
        raise StageFailed(f"the artifact gives {before.shape}, the baseline {baseline(example).shape}")
    require_same_answer(before, candidate(example))
    timing = time_pair(
        lambda: candidate(example),
        lambda: baseline(example),
        budget_s=request["budget_s"],
        seed=request["seed"],
        least_calls=request.get("least_calls", 0),
        rest_s=request.get("rest_s", 0.0),
        known=minimum_here(request.get("baseline_minima", {})),
    )
    on_device = device_p50_ms(candidate, example)
    require_same_answer(before, candidate(example))
    return {**figures, **timing.to_json(), "device_p50_ms": on_device}


def judge_artifact(request: Mapping[str, Any]) -> dict[str, Any]:
    """Judge the artifact in this process without timing it; see `measure_pair`, which needs more of the request.

    Args:
        request: ``workload``, ``artifact`` folder, ``runtime``, ``threads``, ``splits``.

    Returns:
        The accuracies among the fields of `runners.measuring.measurement.Measurement`.

    Raises:
        StageFailed: The artifact gives outputs that are not finite, or not one for each input.
    """
    return _judge(resolve(request["workload"]), request)


def pin(cores: int) -> None:
    """Keep this process on its first ``cores`` cores, so that both sides run on the same ones."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def open_artifact(workload: Workload, request: Mapping[str, Any], batch: int) -> Predictor:
    """The lowered artifact in the folder ``artifact``, by its ``runtime``, on ``threads`` threads."""
    return find_backend(request["runtime"]).open(
        Path(request["artifact"]), threads=request["threads"], batch=batch, build=workload.model
    )


def open_baseline(workload: Workload, teacher: str | None, threads: int) -> Predictor:
    """The teacher in eager fp32; without a folder of weights, with new ones, which take the same time."""
    from runners.lowering.torch_predictor import torch_predictor
    from runners.lowering.weights import load_network

    network = load_network(workload.model, Path(teacher)) if teacher else workload.model()
    return torch_predictor(network.eval(), threads)


def device_p50_ms(predictor: Predictor, inputs: NDArray[Any]) -> float | None:
    """Median time in ms that the accelerator takes for one call, without the ways of inputs and outputs.

    None where the predictor does not run on an accelerator, as with a runtime that stays on the processor.
    """
    import torch

    from runners.lowering.torch_predictor import OnAccelerator
    from runners.measuring.device_events import median_on_device_ms

    if not isinstance(predictor, OnAccelerator):
        return None
    with torch.inference_mode():
        given = predictor.place(inputs)
        return median_on_device_ms(lambda: predictor.call(given), predictor.device)


def require_same_answer(before: NDArray[Any], after: NDArray[Any]) -> None:
    """Raise `StageFailed` where an artifact answered one input in two ways."""
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise StageFailed("the artifact gives NaN or infinite outputs")
    allowed = SAME_ANSWER * max(1e-6, float(np.abs(before).max()))
    if after.shape != before.shape or float(np.abs(after - before).max()) > allowed:
        raise StageFailed("the artifact gives different answers to the same input")


def _judge(workload: Workload, request: Mapping[str, Any]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    if not request["splits"]:
        return figures
    predictor = open_artifact(workload, request, batch=EVALUATION_BATCH)
    for name in request["splits"]:
        split = workload.splits[name]
        if name == "train":
            split = _Sample(split, len(workload.splits["validation"]))
        value, interval = quality(workload, *predict(predictor, split, EVALUATION_BATCH))
        if name == "validation":
            figures.update(accuracy=value, accuracy_ci95=interval)
        else:
            figures[f"accuracy_{name}"] = value
        if name == "test":
            figures["accuracy_test_ci95"] = interval
    return figures


class _Sample:
    """Evenly spaced examples of a split: enough to see how well the training data are known."""

    def __init__(self, split: Split, count: int) -> None:
        self._split = split
        self._chosen = np.unique(np.linspace(0, len(split) - 1, min(count, len(split))).astype(np.int64))

    def __len__(self) -> int:
        return len(self._chosen)

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        return self._split.batch(self._chosen[indices])

    def fingerprint(self) -> str:
        return self._split.fingerprint()
