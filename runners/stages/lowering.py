"""Lower the trained network into the artifact of its inference runtime."""

from pathlib import Path
from typing import Any

from runners.backend import Trained
from runners.backends import find_backend
from runners.lowering.onnx_export import export
from runners.lowering.weights import load_network
from runners.measuring.footprint import folder_size_mib
from runners.stages.job import StageJob


def run(job: StageJob) -> dict[str, Any]:
    """Write the artifact. Figures: the parent's, ``size_mib`` and ``runtime``."""
    settings = job.task.settings
    network = load_network(job.workload.model, job.parent.folder).eval()
    example = job.workload.example()

    def onnx() -> Path:
        if settings["precision"] == "int8":
            return job.parent.folder / "model.onnx"
        path = job.folder / "exported.onnx"
        export(network, example, path)
        return path

    find_backend(settings["runtime"]).lower(Trained(network, onnx, example, settings["precision"]), job.folder)
    (job.folder / "exported.onnx").unlink(missing_ok=True)
    return {**job.carried(), "size_mib": folder_size_mib(job.folder), "runtime": settings["runtime"]}
