"""Rank the layers of a network by what quantising each alone costs; every share of them that is kept reads it."""

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from runners.lowering.calibration import CALIBRATION_IMAGES, calibration_rows
from runners.lowering.quantisation import plain_graph, quantise_int8
from runners.lowering.sensitivity import Sensitivity, most_sensitive, rank_layers
from runners.quantisers.settings import QuantisationSettings
from runners.stages.exporting import EXPORTED
from runners.stages.job import StageJob

RANKED = "sensitivity.json"


def run(job: StageJob) -> dict[str, Any]:
    """Write `RANKED`: the layers and their costs, the most sensitive first. Figures: the parent's.

    Raises:
        StageFailed: The network cannot be quantised.
    """
    settings = QuantisationSettings.of(job.task.settings)
    images = job.task.settings.get("images", CALIBRATION_IMAGES)
    calibration = calibration_rows(job.workload, job.task.seed, images)
    exported = job.inputs["onnx"].folder / EXPORTED
    with TemporaryDirectory() as name:
        folder = Path(name)
        quantise_int8(exported, calibration, folder / "quantised.onnx", settings)
        ranked = rank_layers(plain_graph(exported, folder, settings), folder / "quantised.onnx", calibration)
    (job.folder / RANKED).write_text(json.dumps([asdict(each) for each in ranked], indent=1), encoding="utf-8")
    return job.figures.to_json()


def kept_layers(folder: Path, share: float) -> tuple[str, ...]:
    """The names of the ``share`` of layers that cost most, out of what the stage wrote into ``folder``."""
    ranked = json.loads((folder / RANKED).read_text(encoding="utf-8"))
    return most_sensitive([Sensitivity(**each) for each in ranked], share)
