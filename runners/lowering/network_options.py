"""Options of a runtime that runs the network layer by layer: batch-norm folding and the memory format."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from runners.runner import StageFailed
from spaces.errors import in_one_line

OPTIONS = ("batch_norm_folding", "memory_format")
"""The techniques whose choices `with_options` takes."""


def with_options(network: nn.Module, options: Mapping[str, Any]) -> nn.Module:
    """``network``, in eval mode and fp32, as the options of that name say; it may be changed in place.

    Raises:
        StageFailed: An option changes nothing in this network, or cannot be applied to it.
    """
    if options.get("batch_norm_folding"):
        network = _folded(network)
    if options.get("memory_format", "contiguous") == "channels_last":
        network = _channels_last(network)
    return network


def _folded(network: nn.Module) -> nn.Module:
    from torch.fx.experimental.optimization import fuse

    before = _batch_norms(network)
    try:
        network = fuse(network, inplace=True).eval()
    except Exception as error:
        raise StageFailed(
            f"batch_norm_folding: torch.fx cannot record this network ({in_one_line(error)}); "
            "leave batch_norm_folding at false for this runtime"
        ) from error
    if _batch_norms(network) == before:
        raise StageFailed(
            "batch_norm_folding changes nothing: no batch normalisation follows a convolution or a linear layer alone"
        )
    return network


def _batch_norms(network: nn.Module) -> int:
    return sum(isinstance(layer, _BatchNorm) for layer in network.modules())


def _channels_last(network: nn.Module) -> nn.Module:
    if not any(parameter.dim() == 4 for parameter in network.parameters()):
        raise StageFailed("channels_last changes nothing: the network has no convolution over images")
    return network.to(memory_format=torch.channels_last)
