"""Post-training quantisation to int8, calibrated on data; one result serves every runtime with the same settings."""

from dataclasses import replace
from typing import Any

from runners.lowering.calibration import CALIBRATION_IMAGES, calibration_rows
from runners.lowering.quantisation import quantise_int8
from runners.lowering.weights import load_network, save_network
from runners.quantisers.settings import QuantisationSettings
from runners.stages.exporting import EXPORTED, export_checked
from runners.stages.job import StageJob
from runners.stages.ranking import kept_layers
from spaces.network_changes.parametrisations import remove_parametrisations


def run(job: StageJob) -> dict[str, Any]:
    """Write ``model.onnx``, quantised, beside the weights that it came from.

    It is calibrated on as many ``images`` as the settings name, or on `CALIBRATION_IMAGES`. Where the stage has an
    input ``onnx``, the network was exported before; else it is exported here. Where it has an input ``ranking``, the
    ``float_share`` of layers that cost most stays in floating point.

    Figures: the parent's, and ``export_note`` where the older exporter had to be used.

    Raises:
        StageFailed: The network cannot be exported or quantised, or the export gives other outputs than the network.
    """
    network = load_network(job.workload.network, job.parent.folder)
    remove_parametrisations(network)
    settings = job.task.settings
    images = settings.get("images", CALIBRATION_IMAGES)
    calibration = calibration_rows(job.workload, job.task.seed, images)
    if "onnx" in job.inputs:
        plain, note = job.inputs["onnx"].folder / EXPORTED, job.inputs["onnx"].result.get("export_note")
    else:
        plain = job.folder / EXPORTED
        note = export_checked(job, network, plain)
    quantisation = QuantisationSettings.of(settings)
    if "ranking" in job.inputs:
        kept = kept_layers(job.inputs["ranking"].folder, settings["float_share"])
        quantisation = replace(quantisation, kept=kept)
    quantise_int8(plain, calibration, job.folder / "model.onnx", quantisation)
    (job.folder / EXPORTED).unlink(missing_ok=True)
    save_network(network, job.folder)
    return replace(job.figures, export_note=note or None).to_json()
