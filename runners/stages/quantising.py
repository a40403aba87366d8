"""Post-training quantisation to int8, calibrated on data; one result serves every runtime that reads ONNX."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.inputs import Arrays, one_by_one, read
from runners.lowering.quantisation import quantise_int8
from runners.lowering.weights import load_network, save_network
from runners.stages.exporting import EXPORTED, export_checked
from runners.stages.job import StageJob
from runners.workload import CALIBRATION, Split
from spaces.parametrisations import remove_parametrisations

CALIBRATION_IMAGES = 128


def run(job: StageJob) -> dict[str, Any]:
    """Write ``model.onnx``, quantised, beside the weights that it came from.

    It is calibrated on as many ``images`` as the settings name, or on `CALIBRATION_IMAGES`. Where the stage has an
    input ``onnx``, the network was exported before; else it is exported here.

    Figures: the parent's, and ``export_note`` where the older exporter had to be used.

    Raises:
        StageFailed: The network cannot be exported or quantised, or the export gives other outputs than the network.
    """
    network = load_network(job.workload.network, job.parent.folder)
    remove_parametrisations(network)
    calibration = calibration_rows(job, job.task.settings.get("images", CALIBRATION_IMAGES))
    if "onnx" in job.inputs:
        plain, note = job.inputs["onnx"].folder / EXPORTED, job.inputs["onnx"].result.get("export_note")
    else:
        plain = job.folder / EXPORTED
        note = export_checked(job, network, plain)
    quantise_int8(plain, calibration, job.folder / "model.onnx")
    (job.folder / EXPORTED).unlink(missing_ok=True)
    save_network(network, job.folder)
    return replace(job.figures, export_note=note or None).to_json()


def calibration_rows(job: StageJob, count: int) -> list[Arrays]:
    """As many examples of the calibration split, drawn with the study's seed, each as a batch of one.

    Without a calibration split they are of the training split. Where the inputs have a dynamic dimension each is read
    by itself, so that it is not padded to the size of others.
    """
    split, chosen = _calibration_split(job), _drawn(job, count)
    if job.workload.dynamic:
        return [read(split, chosen[number : number + 1])[0] for number in range(len(chosen))]
    return one_by_one(*read(split, chosen)[0])


def calibration_batch(job: StageJob, count: int) -> Arrays:
    """The same examples in one batch."""
    return read(_calibration_split(job), _drawn(job, count))[0]


def _drawn(job: StageJob, count: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(job.task.seed).permutation(len(_calibration_split(job)))[:count])


def _calibration_split(job: StageJob) -> Split:
    splits = job.workload.splits
    return splits[CALIBRATION] if CALIBRATION in splits else splits["train"]
