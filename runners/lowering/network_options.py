"""Options of a runtime that runs the network layer by layer: batch-norm folding and the memory format."""

import torch
from torch import nn

from runners.inputs import ExampleInputs
from runners.lowering.recipe import recipe_of, set_recipe
from runners.runner import StageFailed
from spaces.network_changes.batch_norm_folding import fold_batch_norms


def with_batch_norms_folded(network: nn.Module, example: ExampleInputs) -> nn.Module:
    """``network``, in eval mode and fp32, with each batch normalisation in the layer before it; changed in place.

    It carries the recipe by which it is read from a file again.

    Raises:
        StageFailed: There is none that can be folded.
    """
    folded = fold_batch_norms(network, tuple(map(torch.from_numpy, example.arrays)))
    if not folded:
        raise StageFailed(
            "batch_norm_folding changes nothing: no batch normalisation follows a convolution or a linear layer alone"
        )
    set_recipe(network, [*recipe_of(network), {"technique": "batch_norm_folding", "record": {"folded": folded}}])
    return network


def in_channels_last(network: nn.Module) -> nn.Module:
    """``network`` with the weights of its convolutions in channels_last; changed in place.

    Raises:
        StageFailed: It has no convolution over images.
    """
    if not any(parameter.dim() == 4 for parameter in network.parameters()):
        raise StageFailed("channels_last changes nothing: the network has no convolution over images")
    return network.to(memory_format=torch.channels_last)
