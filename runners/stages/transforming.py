"""Change the network by one technique: cut a student, prune channels, or whatever a technique's file says."""

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from runners.lowering.weights import load_network, save_network, weights_digest
from runners.measuring.footprint import count_macs, count_parameters
from runners.runner import StageFailed
from runners.stages.job import StageJob
from spaces.space_document import all_techniques
from spaces.technique import ModelContext


def run(job: StageJob) -> dict[str, Any]:
    """Write the changed network. Figures: the parent's, with ``macs`` and ``parameters`` counted again.

    Raises:
        StageFailed: The technique changed nothing, or the network no longer gives outputs of its old shape.
    """
    torch.manual_seed(job.task.seed)
    settings = dict(job.task.settings)
    name = settings.pop("technique")
    technique = next(t for t in all_techniques() if t.name == name)
    network = load_network(job.workload.model, job.parent.folder)
    example = torch.from_numpy(job.workload.example())
    before, shape = weights_digest(network), _output_shape(network, example)
    network = technique.apply(network, settings, ModelContext(example, job.task.seed))
    if weights_digest(network) == before:
        raise StageFailed(f"{technique.name} changed nothing with {settings}: the trial would repeat another")
    if _output_shape(network, example) != shape:
        raise StageFailed(f"{technique.name} changed the output from {shape} to {_output_shape(network, example)}")
    save_network(network, job.folder)
    macs, parameters = count_macs(network, job.workload.example()), count_parameters(network)
    return replace(job.figures, macs=macs, parameters=parameters).to_json()


def _output_shape(network: nn.Module, example: torch.Tensor) -> tuple[int, ...]:
    with torch.inference_mode():
        return tuple(network.eval()(example).shape)
