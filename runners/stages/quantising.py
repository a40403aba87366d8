"""Post-training quantisation to int8, calibrated on training data; one result serves every runtime that reads ONNX."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from runners.inputs import Arrays, one_by_one, read
from runners.lowering.agreement import TOLERANCES, require_agreement
from runners.lowering.onnx_export import export
from runners.lowering.onnx_session import open_session
from runners.lowering.quantisation import quantise_int8
from runners.lowering.weights import load_network, save_network
from runners.stages.job import StageJob
from spaces.parametrisations import remove_parametrisations

CALIBRATION_IMAGES = 128


def run(job: StageJob) -> dict[str, Any]:
    """Write ``model.onnx``, quantised, beside the weights that it came from.

    It is calibrated on as many ``images`` as the settings name, or on `CALIBRATION_IMAGES`.

    Figures: the parent's, and ``export_note`` where the older exporter had to be used.

    Raises:
        StageFailed: The network cannot be exported or quantised, or the export gives other outputs than the network.
    """
    network = load_network(job.workload.network, job.parent.folder)
    remove_parametrisations(network)
    calibration = calibration_rows(job, job.task.settings.get("images", CALIBRATION_IMAGES))
    plain = job.folder / "plain.onnx"
    note = export(network, job.workload.example_inputs, plain)
    _require_agreement(plain, network, job)
    quantise_int8(plain, calibration, job.folder / "model.onnx")
    plain.unlink()
    save_network(network, job.folder)
    return replace(job.figures, export_note=note or None).to_json()


def _require_agreement(plain: Path, network: nn.Module, job: StageJob) -> None:
    """Compare the graph with the network before it is quantised.

    In int8, honest differences are as large as those of a network that was recorded wrongly.
    """
    torch.set_num_threads(job.task.cpus)
    session, example = open_session(plain, job.task.cpus), job.workload.example_inputs

    def predict(*inputs: NDArray[Any]) -> Any:
        return session.run(["output"], dict(zip(example.names, inputs, strict=True)))[0]

    require_agreement(predict, network, job.workload.splits["validation"], TOLERANCES["fp32"], example.dynamic)


def calibration_rows(job: StageJob, count: int) -> list[Arrays]:
    """As many examples of the training split, drawn with the study's seed, each as a batch of one.

    Where the inputs have a dynamic dimension each is read by itself, so that it is not padded to the size of others.
    """
    split, chosen = job.workload.splits["train"], _drawn(job, count)
    if job.workload.dynamic:
        return [read(split, chosen[number : number + 1])[0] for number in range(len(chosen))]
    return one_by_one(*read(split, chosen)[0])


def calibration_batch(job: StageJob, count: int) -> Arrays:
    """The same examples in one batch."""
    return read(job.workload.splits["train"], _drawn(job, count))[0]


def _drawn(job: StageJob, count: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(job.task.seed).permutation(len(job.workload.splits["train"]))[:count])
