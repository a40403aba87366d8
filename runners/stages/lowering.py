"""Lower the trained network into the artifact of its inference runtime."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from runners.backend import Trained
from runners.backends import find_backend
from runners.inputs import Arrays
from runners.lowering.calibration import CALIBRATION_IMAGES, calibration_rows
from runners.lowering.onnx_export import export
from runners.lowering.onnx_files import remove_onnx
from runners.lowering.weights import load_network
from runners.measuring.footprint import folder_size_mib
from runners.stages.exporting import EXPORTED
from runners.stages.job import StageJob
from spaces.network_changes.parametrisations import remove_parametrisations
from spaces.number_formats import NUMBER_FORMATS
from spaces.plans import LoweringPlan


def run(job: StageJob) -> dict[str, Any]:
    """Write the artifact. Figures: the parent's, ``size_mib``, ``lowering_seconds``, ``runtime`` and ``precision``.

    Where the stage has an input ``onnx``, the network was exported before; else it is exported here where it is needed,
    and that counts as lowering.
    """
    settings = job.task.settings
    plan = LoweringPlan(settings["runtime"], settings["precision"], options=settings["options"])
    network = load_network(job.workload.network, job.parent.folder)
    remove_parametrisations(network)
    example = job.workload.example_inputs
    exported = job.folder / EXPORTED

    def onnx() -> Path:
        if "onnx" in job.inputs:
            return job.inputs["onnx"].folder / EXPORTED
        if NUMBER_FORMATS[plan.precision].quantised:
            return job.parent.folder / "model.onnx"
        export(network, example, exported)
        return exported

    def calibration() -> list[Arrays]:
        return calibration_rows(job.workload, job.task.seed, settings.get("images", CALIBRATION_IMAGES))

    trained = Trained(network, onnx, example, plan.precision, job.workload.network, plan.options, calibration)
    begin = time.perf_counter()
    find_backend(plan.runtime).lower(trained, job.folder)
    seconds = time.perf_counter() - begin
    remove_onnx(exported)
    size_mib = folder_size_mib(job.folder)
    figures = replace(job.figures, size_mib=size_mib, lowering_seconds=seconds)
    return replace(figures, runtime=plan.runtime, precision=plan.precision).to_json()
