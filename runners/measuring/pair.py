"""What runs in the process that measures: the artifact is evaluated, opened beside the baseline, and timed with it."""

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.backend import Predictor
from runners.measuring.deviation import BaselineMinima, minimum_here
from runners.measuring.opening import Artifact, Baseline
from runners.measuring.paired_timing import PairedTiming
from runners.measuring.quality import EVALUATION_BATCH, Accuracies, evaluate
from runners.measuring.stopwatch import TimingSettings, time_pair
from runners.runner import StageFailed
from runners.workload import Workload
from runners.workload_loading.reference import resolve

SAME_ANSWER = 1e-3
"""Largest difference between two answers to one input, as a share of the largest output: threads vary the sums."""


@dataclass(frozen=True)
class PairRequest:
    """What to measure.

    Attributes:
        workload: Its reference.
        artifact: The candidate.
        baseline: What it is compared with.
        splits: On which splits it is evaluated: with ``validation``, or none.
        settings: How long and how precisely it is timed.
        baseline_minima: The shortest time known of the baseline on each machine.
    """

    workload: Any
    artifact: Artifact
    baseline: Baseline
    splits: tuple[str, ...]
    settings: TimingSettings
    baseline_minima: BaselineMinima = field(default_factory=dict)


@dataclass(frozen=True)
class PairResult:
    """What was measured.

    Attributes:
        accuracies: None where no splits were asked for.
        timing: The artifact beside the baseline.
        device_p50_ms: Median time that the accelerator takes for one call; None for an artifact that uses none.
    """

    accuracies: Accuracies | None
    timing: PairedTiming
    device_p50_ms: float | None


def measure_pair(request: PairRequest) -> PairResult:
    """Evaluate the artifact and time it against the baseline, in this process.

    Raises:
        StageFailed: The artifact gives outputs of another shape than the baseline, or not finite, or other ones
            each time that it is asked.
    """
    artifact, baseline = request.artifact, request.baseline
    pin(max(artifact.threads, baseline.threads))
    workload = resolve(request.workload)
    accuracies = _evaluate(workload, artifact, request.splits) if request.splits else None
    candidate_call, baseline_call = artifact.open(workload.model), baseline.open(workload.model)
    example = workload.example()
    before = candidate_call(example)
    if before.shape != (shape := baseline_call(example).shape):
        raise StageFailed(f"the artifact gives {before.shape}, the baseline {shape}")
    require_same_answer(before, candidate_call(example))
    known = minimum_here(request.baseline_minima)
    timing = time_pair(lambda: candidate_call(example), lambda: baseline_call(example), request.settings, known)
    on_device_ms = device_p50_ms(candidate_call, example)
    require_same_answer(before, candidate_call(example))
    return PairResult(accuracies, timing, on_device_ms)


def evaluate_artifact(workload: Any, artifact: Artifact, splits: tuple[str, ...]) -> Accuracies:
    """Evaluate the artifact of the referenced workload in this process, without timing it.

    Raises:
        StageFailed: The artifact gives outputs that are not finite, or not one for each input.
    """
    return _evaluate(resolve(workload), artifact, splits)


def pin(cores: int) -> None:
    """Keep this process on its first ``cores`` cores, so that all arms run on the same ones."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def device_p50_ms(predictor: Predictor, inputs: NDArray[Any]) -> float | None:
    """Median time in ms that the accelerator takes for one call, without the transfers of inputs and outputs.

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


def _evaluate(workload: Workload, artifact: Artifact, splits: tuple[str, ...]) -> Accuracies:
    return evaluate(artifact.open(workload.model, EVALUATION_BATCH), workload, splits)
