"""What runs in the process that measures: the artifact is evaluated, opened beside the baseline, and timed with it."""

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.backend import Predictor
from runners.inputs import Arrays
from runners.machine.denormals import flush_denormals
from runners.measuring.opening import Artifact, Original, TimingRequest, call_to_time
from runners.measuring.paired_timing import PairedTiming
from runners.measuring.stopwatch import time_pair
from runners.quality.quality import EVALUATION_BATCH, Accuracies, evaluate
from runners.runner import StageFailed
from runners.workload_loading.reference import resolve

SAME_ANSWER = 1e-3
"""Largest difference between two answers to one input, as a share of the largest output: threads vary the sums."""


@dataclass(frozen=True)
class PairResult:
    """What was measured of an artifact.

    Attributes:
        timing: The artifact beside the baseline.
        device_p50_ms: Median time that the accelerator takes for one call; None for an artifact that uses none, and
            for one whose speed depends on the inputs.
        accuracies: Its quality; None where it was not evaluated.
    """

    timing: PairedTiming
    device_p50_ms: float | None
    accuracies: Accuracies | None = None


def measure_pair(request: TimingRequest, splits: tuple[str, ...], original: Original | None = None) -> PairResult:
    """Evaluate the one artifact of ``request`` on ``splits``, if any, and time it, in this process.

    Args:
        request: What to time.
        splits: Where to evaluate.
        original: The network that it was lowered from, with which its outputs are compared first; None where that is
            not at hand.

    Raises:
        StageFailed: The artifact gives other outputs than ``original``, outputs of another shape than the baseline, or
            not finite, or other ones each time that it is asked.
    """
    (artifact,) = request.candidates
    assert isinstance(artifact, Artifact), "the baseline is not evaluated"
    prepare_process(request.cores)
    workload = resolve(request.workload)
    accuracies = evaluate_artifact(request.workload, artifact, splits, original) if splits or original else None
    candidate = artifact.open(workload.network, request.batch)
    baseline = request.baseline.open(workload.network, request.batch)
    example = workload.example_inputs.repeated(request.batch)
    before, baseline_answer = candidate(*example), baseline(*example)
    if before.shape != baseline_answer.shape:
        raise StageFailed(f"the artifact gives {before.shape}, the baseline {baseline_answer.shape}")
    require_same_answer(before, candidate(*example))
    timed = call_to_time(artifact, candidate, workload, request.batch)
    timing = time_pair(timed, lambda: baseline(*example), request.settings)
    timing = replace(timing, batch=request.batch)
    on_device_ms = device_p50_ms(candidate, example) if timing.timed_inputs == 1 else None
    require_same_answer(before, candidate(*example))
    return PairResult(timing, on_device_ms, accuracies)


def evaluate_artifact(
    workload: Any, artifact: Artifact, splits: tuple[str, ...], original: Original | None = None
) -> Accuracies | None:
    """Evaluate the artifact of the referenced workload in this process, without timing it; None without ``splits``.

    Raises:
        StageFailed: The artifact gives other outputs than ``original``, or not finite, or not one for each input.
    """
    resolved = resolve(workload)
    predictor = artifact.open(resolved.network, EVALUATION_BATCH)
    if original is not None:
        original.require_agreement(predictor, resolved, artifact)
    return evaluate(predictor, resolved, splits, original.folder if original else None) if splits else None


def prepare_process(cores: int) -> None:
    """Let all that is timed in this process run on its first ``cores`` cores, and take denormal numbers for zero.

    Called before anything else in the process, since threads that exist already are left as they are.
    """
    flush_denormals()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def device_p50_ms(predictor: Predictor, inputs: Arrays) -> float | None:
    """Median time in ms that the accelerator takes for one call, without the transfers of inputs and outputs.

    None where the predictor does not run on an accelerator, as with a runtime that stays on the processor.
    """
    import torch

    from runners.lowering.torch_predictor import OnAccelerator
    from runners.measuring.device_events import median_on_device_ms

    if not isinstance(predictor, OnAccelerator):
        return None
    with torch.inference_mode():
        given = predictor.place(*inputs)
        return median_on_device_ms(lambda: predictor.call(*given), predictor.device)


def require_same_answer(before: NDArray[Any], after: NDArray[Any]) -> None:
    """Raise `StageFailed` where an artifact answered one input in two ways."""
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise StageFailed("the artifact gives NaN or infinite outputs")
    allowed = SAME_ANSWER * max(1e-6, float(np.abs(before).max()))
    if after.shape != before.shape or float(np.abs(after - before).max()) > allowed:
        raise StageFailed("the artifact gives different answers to the same input")
