"""Write the network as ONNX, once for all runtimes that read it and for quantisation."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from runners.lowering.agreement import TOLERANCES, require_agreement
from runners.lowering.onnx_export import export, is_quantised, round_weights
from runners.lowering.onnx_graphs.precise_sigmoid import precise_sigmoids
from runners.lowering.onnx_session import open_session
from runners.lowering.recipe import as_exported, recipe_of
from runners.lowering.weights import copy_network, load_network
from runners.stages.job import StageJob
from spaces.network_changes.parametrisations import remove_parametrisations

EXPORTED = "exported.onnx"


def run(job: StageJob) -> dict[str, Any]:
    """Write `EXPORTED`. Figures: the parent's, and ``export_note`` where the older exporter had to be used.

    Raises:
        StageFailed: The network cannot be exported, or the export gives other outputs than the network.
    """
    network = load_network(job.workload.network, job.parent.folder)
    remove_parametrisations(network)
    note = export_checked(job, network, job.folder / EXPORTED)
    return replace(job.figures, export_note=note or None).to_json()


def export_checked(job: StageJob, network: nn.Module, path: Path) -> str:
    """Write ``network`` to ``path``, and compare the graph with it; why the older exporter had to be used, or empty.

    It is compared before it is quantised: in int8, honest differences are as large as those of a network that was
    recorded wrongly. A network that was trained with its quantisers is written with them.
    """
    example, tolerance = job.workload.example_inputs, TOLERANCES["fp32"]
    if recipe_of(network):
        written = as_exported(copy_network(network, job.workload.network))
        note = export(written, example, path)
    else:
        note = export(network, example, path)
    if is_quantised(path):
        round_weights(path)
        tolerance = TOLERANCES["int8"]
    torch.set_num_threads(job.task.cpus)
    with precise_sigmoids(path) as compared:
        session = open_session(compared, job.task.cpus)

    def predict(*inputs: NDArray[Any]) -> Any:
        return session.run(["output"], dict(zip(example.names, inputs, strict=True)))[0]

    require_agreement(predict, network, job.workload.splits["validation"], tolerance, example.dynamic)
    return note
