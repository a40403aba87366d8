"""Whether a lowered artifact gives the outputs of the network that it was lowered from."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from runners.backend import Predictor
from runners.inputs import Arrays, read, rows, shortened
from runners.processes.progress import report_progress
from runners.runner import StageFailed
from runners.workload import Split

ALONE, TOGETHER = 64, 16
"""Rows that are compared in calls of one row, and in one call: what a network does may depend on its batch."""
ALONE_S, LEAST_ALONE = 1.0, 8
"""After so many seconds no further row is called alone, once there are so many."""


@dataclass(frozen=True)
class Tolerance:
    """What the number format of an artifact explains.

    Attributes:
        difference: Largest difference in a row, as a share of the largest output of the network in calls of that size.
        rows: Share of the rows in calls of one size that may differ by more.
        cause: Why outputs may differ by more, in words.
    """

    difference: float
    rows: float
    cause: str = "what its forward does may depend on the values of its inputs, which a runtime records only once"


TOLERANCES = {
    "fp32": Tolerance(1e-3, 0.0),
    "tf32": Tolerance(2e-2, 0.05),
    "bf16": Tolerance(0.2, 0.05),
    "fp16": Tolerance(
        1e-2,
        0.05,
        "the format holds numbers from 6e-8 to 65504 alone, and this network may have others, or what its forward does "
        "may depend on the values of its inputs, which a runtime records only once",
    ),
    "int8": Tolerance(
        2.0,
        0.05,
        "before it was quantised it gave the same, so its quantiser or its runtime computes this network wrongly; "
        "another runtime or other settings of int8_quantisation may not",
    ),
    "int8_weight_only": Tolerance(0.2, 0.05),
    "int4_weight_only": Tolerance(1.0, 0.05),
}
ON_ACCELERATOR = TOLERANCES["tf32"]
"""Of fp32 on an accelerator, which may round products to the ten bits of TF32; not tried on a real one, as tf32."""
ROUGH = Tolerance(2e-2, 0.0)
"""Of fp32 in a runtime that is known to compute an operator roughly; what was recorded is compared before that."""


def tolerance_of(precision: str, accelerated: bool, rough_because: str) -> Tolerance:
    """What a number format, the device and the runtime (`runners.backend.Backend.rough_because`) explain."""
    if precision == "fp32" and accelerated:
        return ON_ACCELERATOR
    if precision == "fp32" and rough_because:
        return replace(ROUGH, cause=f"{rough_because}, or {ROUGH.cause}")
    return TOLERANCES[precision]


def require_agreement(
    predictor: Predictor,
    network: nn.Module,
    split: Split,
    tolerance: Tolerance,
    dynamic: Sequence[int | None] = (),
) -> None:
    """Refuse an artifact whose outputs are not those of ``network`` called by PyTorch, on rows of ``split``.

    A runtime records a network once. An ``if`` on the data, a loop whose length depends on it or a random number is
    then recorded as it went that once, and the outputs of other rows are wrong with no word from the runtime.

    The largest differences that were honest, as shares of the largest output, on digits, ResNet-18 and MobileNetV3,
    trained and untrained, with ONNX Runtime, OpenVINO, TorchScript and eager: 6e-6 in fp32, 0.05 in bf16. On an
    EfficientNet whose training went wrong PyTorch's own fp32 differs from fp64 by 1.4e-4, and TorchScript and OpenVINO
    differ by 1e-3; for ONNX Runtime's sigmoid see `runners.lowering.onnx_graphs.precise_sigmoid`. In int8 they
    reach 0.8 (MobileNetV3 untrained, calibrated on 16 images), as much as an early exit that is always or never taken:
    no bound tells these apart, so that of int8 only catches outputs that have nothing of the network's, and the graph
    which is quantised is compared in fp32 before. In formats of few bits a few rows may differ by any amount, since
    rounding turns a decision that was a close one.

    Of the other formats the largest were, on an MLP, a transformer encoder and a vision transformer of widths 512 and
    128, a small convolutional network (trained on digits and untrained), ResNet-18 and MobileNetV3 (untrained): with
    weights in 8 bits 0.037, in 4 bits 0.24 (ONNX Runtime, OpenVINO), in fp16 0.0021 (PyTorch on a processor).

    Args:
        predictor: The opened artifact.
        network: In eval mode, on the CPU.
        split: Gives the rows, evenly spaced.
        tolerance: What the artifact's number format explains.
        dynamic: For each input the dimension whose size may differ between calls, or None; the outputs are compared at
            a second size too. Empty where no input has one.

    Raises:
        StageFailed: Too many rows differ, or an output has another shape; the message has the numbers.
    """
    chosen = np.unique(np.linspace(0, len(split) - 1, min(ALONE, len(split))).astype(np.int64))
    inputs = read(split, chosen)[0]
    together = rows(inputs, np.unique(np.linspace(0, len(chosen) - 1, min(TOGETHER, len(chosen))).astype(np.int64)))
    how = f"in one call of {len(together[0])}"
    _compare([(predictor(*together), _answer(network, together))], tolerance, how)
    if any(place is not None for place in dynamic):
        shorter = shortened(together, dynamic)
        _compare([(predictor(*shorter), _answer(network, shorter))], tolerance, f"{how}, cut to three quarters")
    pairs: list[tuple[NDArray[Any], NDArray[Any]]] = []
    end = time.monotonic() + ALONE_S
    for number in range(len(chosen)):
        if number >= LEAST_ALONE and time.monotonic() > end:
            break
        row = rows(inputs, slice(number, number + 1))
        pairs.append((predictor(*row), _answer(network, row)))
        report_progress()
    _compare(pairs, tolerance, "called alone")


def _answer(network: nn.Module, inputs: Arrays) -> NDArray[Any]:
    with torch.inference_mode():
        outputs: NDArray[Any] = (
            network(*(torch.from_numpy(np.ascontiguousarray(each)) for each in inputs)).float().numpy()
        )
    return outputs


def _compare(pairs: list[tuple[NDArray[Any], NDArray[Any]]], tolerance: Tolerance, how: str) -> None:
    """Compare outputs that were ``given`` with those ``expected``, a pair for each call."""
    for given, expected in pairs:
        if given.shape != expected.shape:
            raise StageFailed(
                f"the artifact gives outputs of shape {given.shape} where the network it was lowered from gives "
                f"{expected.shape}"
            )
    largest = max(1e-6, max(float(np.abs(expected).max()) for _, expected in pairs))
    by_row = [np.abs(given - expected).reshape(len(given), -1).max(axis=1) / largest for given, expected in pairs]
    differences = np.concatenate(by_row)
    differing = ~(differences <= tolerance.difference)  # NaN differs
    if differing.mean() > tolerance.rows:
        raise StageFailed(
            f"the artifact gives other outputs than the network it was lowered from, in {int(differing.sum())} of "
            f"{len(differences)} rows {how}, by up to {differences.max():.2g} of the largest output "
            f"(rounding explains {tolerance.difference:g}): {tolerance.cause}"
        )
