"""Puts batch normalisations into the layers before them, as a runtime does, so that a network is trained as it runs."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from spaces.network_changes.layer_calls import layer_calls

CLOSE = 1e-3
"""Largest difference of the outputs, as a share of the largest output, that folding one normalisation may make."""

Pairs = list[list[str]]
"""The name of a layer and that of the normalisation that was folded into it."""


def fold_batch_norms(network: Any, inputs: Sequence[Any]) -> Pairs:
    """Fold each batch normalisation whose input is the output of a convolution or a linear layer, and of no other call.

    What else reads that output cannot be seen from the layers: a pair after which the outputs differ is left as it was.

    Args:
        network: A ``torch.nn.Module``, changed in place and left in eval mode. An `Identity` takes the place of each
            normalisation.
        inputs: A tensor for each input of the network.

    Returns:
        The pairs that were folded, which `fold_structure` takes.
    """
    import torch

    network.eval()
    folded: Pairs = []
    with torch.no_grad():
        before = network(*inputs)
        for layer_name, norm_name in _pairs(network, inputs):
            layer, norm = network.get_submodule(layer_name), network.get_submodule(norm_name)
            network.set_submodule(layer_name, _fused(layer, norm))
            network.set_submodule(norm_name, torch.nn.Identity())
            if (network(*inputs) - before).abs().max() <= CLOSE * before.abs().max():
                folded.append([layer_name, norm_name])
            else:
                network.set_submodule(layer_name, layer)
                network.set_submodule(norm_name, norm)
    return folded


def fold_structure(network: Any, pairs: Pairs) -> None:
    """Take out the normalisations of ``pairs`` and give their layers a bias, whose values are set later."""
    from torch import nn

    for layer_name, norm_name in pairs:
        layer = network.get_submodule(layer_name)
        if layer.bias is None:
            layer.bias = nn.Parameter(layer.weight.new_zeros(network.get_submodule(norm_name).num_features))
        network.set_submodule(norm_name, nn.Identity())


def _pairs(network: Any, inputs: Sequence[Any]) -> Pairs:
    """Each layer that is called once, with the normalisation that is given its output, and is called once too."""
    from torch import nn
    from torch.nn.modules.batchnorm import _BatchNorm
    from torch.nn.modules.conv import _ConvNd

    made: dict[int, str] = {}
    pairs: Pairs = []
    calls = layer_calls(network, inputs)
    times = Counter(call.name for call in calls)
    for name, layer, given, output, _ in calls:
        if isinstance(layer, _ConvNd) or (isinstance(layer, nn.Linear) and output.dim() == 2):
            made[id(output)] = name  # the calls keep it, so that no later tensor has its identity
        elif isinstance(layer, _BatchNorm) and layer.running_mean is not None and id(given) in made:
            pairs.append([made[id(given)], name])
    return [pair for pair in pairs if all(times[name] == 1 for name in pair)]


def _fused(layer: Any, norm: Any) -> Any:
    from torch import nn
    from torch.nn.modules.conv import _ConvTransposeNd
    from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

    if isinstance(layer, nn.Linear):
        fused: Any = fuse_linear_bn_eval(layer, norm)
    else:
        fused = fuse_conv_bn_eval(layer, norm, transpose=isinstance(layer, _ConvTransposeNd))
    fused.bias.requires_grad_(layer.weight.requires_grad)  # torch freezes the bias of a layer that had none
    return fused
