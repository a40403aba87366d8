"""Post-training quantisation to int8, calibrated on training data; one result serves every runtime that reads ONNX."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

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
    network = load_network(job.workload.model, job.parent.folder)
    remove_parametrisations(network)
    images = calibration_images(job, job.task.settings.get("images", CALIBRATION_IMAGES))
    plain = job.folder / "plain.onnx"
    note = export(network, job.workload.example(), plain)
    _require_agreement(plain, network, job)
    quantise_int8(plain, images, job.folder / "model.onnx")
    plain.unlink()
    save_network(network, job.folder)
    return replace(job.figures, export_note=note or None).to_json()


def _require_agreement(plain: Path, network: nn.Module, job: StageJob) -> None:
    """Compare the graph with the network before it is quantised.

    In int8, honest differences are as large as those of a network that was recorded wrongly.
    """
    torch.set_num_threads(job.task.cpus)
    session = open_session(plain, job.task.cpus)

    def predict(inputs: NDArray[Any]) -> Any:
        return session.run(["output"], {"input": inputs})[0]

    require_agreement(predict, network, job.workload.splits["validation"], TOLERANCES["fp32"])


def calibration_images(job: StageJob, count: int) -> Any:
    """As many images of the training split, drawn with the study's seed, float32 ``(n, *input_shape)``."""
    split = job.workload.splits["train"]
    chosen = np.random.default_rng(job.task.seed).permutation(len(split))[:count]
    return split.batch(np.sort(chosen))[0]
