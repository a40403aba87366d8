"""Give a masked network the weights back that it had early in its training; what is masked stays masked."""

from typing import Any

import torch
from torch import nn

from runners.lowering.weights import load_network, save_network
from runners.runner import StageFailed
from runners.stages.job import StageJob
from spaces.network_changes.parametrisations import remove_parametrisations

ORIGINAL = ".parametrizations.weight.original"
"""Where `torch.nn.utils.parametrize` keeps the weight that a mask is put on."""


def run(job: StageJob) -> dict[str, Any]:
    """Write the parent's network with the values of its input ``early``. Figures: the parent's.

    Raises:
        StageFailed: The two are not the same network.
    """
    network = load_network(job.workload.network, job.parent.folder)
    early = load_network(job.workload.network, job.inputs["early"].folder)
    remove_parametrisations(early)
    rewind(network, early)
    save_network(network, job.folder)
    return job.figures.to_json()


def rewind(network: nn.Module, early: nn.Module) -> None:
    """Copy all parameters and buffers of ``early`` into ``network``, whose weights may be masked.

    Raises:
        StageFailed: ``network`` lacks one of them, or has it in another shape.
    """
    found = {name.replace(ORIGINAL, ".weight"): tensor for name, tensor in _tensors(network)}
    for name, tensor in _tensors(early):
        if name not in found or found[name].shape != tensor.shape:
            raise StageFailed(f"the early weights do not fit the network: {name} was changed since")
        with torch.no_grad():
            found[name].copy_(tensor)


def _tensors(network: nn.Module) -> list[tuple[str, torch.Tensor]]:
    return [*network.named_parameters(), *network.named_buffers()]
