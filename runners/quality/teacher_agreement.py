"""The quality without labels: how far the outputs of an artifact agree with the teacher's own."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from runners.lowering.torch_predictor import torch_predictor
from runners.quality.teacher_metric import (
    Floats,
    agreement,
    closeness,
    closeness_of_squares,
    judged_by_teacher,
    squares,
)
from runners.workload import Workload, accuracy
from spaces.network_changes.parametrisations import remove_parametrisations

OUTPUTS = "teacher_outputs.safetensors"
"""The file in which the teacher's stage keeps its outputs, an array for each split."""
MOST_KEPT = 64 * 2**20
"""Outputs of more bytes are not kept, and computed anew for each artifact."""


@dataclass(frozen=True)
class Comparison:
    """What `runners.quality.quality.quality` takes to judge outputs against the teacher's.

    Attributes:
        workload: The workload with the metric that judges.
        outputs: The outputs, or what that metric needs of them, ``(n, ...)``.
        targets: What that metric compares them with, ``(n, ...)``.
    """

    workload: Workload
    outputs: Floats
    targets: Floats


def compare_with_teacher(workload: Workload, outputs: Floats, teacher: Floats) -> Comparison:
    """How ``outputs`` are judged by the outputs of the ``teacher``, both ``(n, ...)``.

    Agreement is the accuracy by the classes that the teacher takes, and has its interval. The closeness of a resample
    needs the sums of two squares an example, however large the outputs are.
    """
    judged = judged_by_teacher(workload, outputs.shape)
    if judged.metric is agreement:
        return Comparison(replace(judged, metric=accuracy), outputs, teacher.argmax(axis=1))
    if judged.metric is closeness:
        sums = squares(outputs, teacher)
        return Comparison(replace(judged, metric=closeness_of_squares), sums, sums)
    return Comparison(workload, outputs, teacher)


def make_teacher(workload: Workload, threads: int) -> Any:
    """A predictor of the workload's network with its own weights, called by PyTorch on ``threads`` threads."""
    network = workload.network().eval()
    remove_parametrisations(network)
    return torch_predictor(network, threads)


def keep_outputs(folder: Path, outputs: dict[str, Floats]) -> None:
    """Write the teacher's ``outputs`` by split into ``folder``, unless they are many."""
    if sum(array.nbytes for array in outputs.values()) <= MOST_KEPT:
        save_file({name: np.ascontiguousarray(array) for name, array in outputs.items()}, folder / OUTPUTS)


def kept_outputs(folder: Path | None, split: str) -> Floats | None:
    """What `keep_outputs` wrote of ``split``, or None."""
    if folder is None or not (folder / OUTPUTS).is_file():
        return None
    return load_file(folder / OUTPUTS).get(split)
