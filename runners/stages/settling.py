"""Prepare an untrained network for timing: set the statistics of its batch normalisation from some images.

Without them the activations of new weights shrink from layer to layer, down to subnormal numbers, which a processor
handles slowly and calibration cannot scale; and a runtime removes biases that are all zero.
"""

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from runners.lowering.calibration import calibration_batch
from runners.lowering.weights import load_network, save_network
from runners.stages.job import StageJob

IMAGES = 64


def run(job: StageJob) -> dict[str, Any]:
    """Write the network with the statistics. Figures: the parent's."""
    network = load_network(job.workload.network, job.parent.folder)
    settle(network, tuple(map(torch.from_numpy, calibration_batch(job.workload, job.task.seed, IMAGES))))
    save_network(network, job.folder)
    return job.figures.to_json()


def settle(network: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
    """Set the running statistics of every batch normalisation to those of ``inputs``, ``(n, *input_shape)`` each."""
    network.eval()
    for layer in network.modules():
        if isinstance(layer, _BatchNorm) and layer.running_mean is not None:
            layer.reset_running_stats()
            layer.momentum = None  # an average over all, not a moving one
            layer.train()
    with torch.no_grad():
        network(*inputs)
    network.eval()
