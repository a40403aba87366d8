"""Linear layers and convolutions as products of smaller ones, from their singular values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spaces.errors import WorkFailed
from spaces.network_changes.layer_calls import layer_calls

BLOCK = 8
"""Ranks are rounded up to a multiple of this from `WIDE` channels on, because kernels work on blocks of channels."""
WIDE = 64


@dataclass(frozen=True)
class Ranks:
    """Between how many channels a layer works.

    Attributes:
        inputs: Channels to which its inputs are reduced first; None where they are not.
        outputs: Channels that it gives to a last layer, which makes its outputs of them; None where there is none. A
            linear layer and a 1x1 convolution have these alone.
    """

    inputs: int | None
    outputs: int | None


def factor_layers(network: Any, example: Sequence[Any], energy: float | None) -> dict[str, dict[str, int | None]]:
    """Factor every layer of ``network`` that gets cheaper by it, in place; the ranks by layer, for `rebuild_layers`.

    Args:
        network: In eval mode.
        example: A tensor for each input.
        energy: Share of the squares of the singular values that is kept, above 0 and below 1; None keeps a quarter of
            the ranks, whatever the weights are.

    Raises:
        WorkFailed: No layer gets cheaper.
    """
    layers = _called_layers(network, example)
    found = {
        name: ranks for name, (layer, positions) in layers.items() if (ranks := _cheapest(layer, positions, energy))
    }
    if not found:
        kept = "a quarter of the ranks" if energy is None else f"{energy:g} of the energy"
        raise WorkFailed(
            f"keeping {kept} makes none of the {len(layers)} linear layers and convolutions cheaper; keep less of it"
            if layers
            else "no layer inside of this network is a linear layer or a convolution that could be factored"
        )
    for name, ranks in found.items():
        layer = layers[name][0]
        factors = _factors(layer, ranks)
        _set_values(factors, layer, ranks)
        network.set_submodule(name, factors)
    _call_layers_of_encoders(network)
    return {name: {"inputs": ranks.inputs, "outputs": ranks.outputs} for name, ranks in found.items()}


def rebuild_layers(network: Any, ranks: Mapping[str, Mapping[str, int | None]]) -> None:
    """Put the layers that `factor_layers` made into ``network`` again, with new weights."""
    for name, own in ranks.items():
        network.set_submodule(name, _factors(network.get_submodule(name), Ranks(own["inputs"], own["outputs"])))
    _call_layers_of_encoders(network)


def _call_layers_of_encoders(network: Any) -> None:
    """Let PyTorch's encoders call their factored layers; the one kernel for all of a layer reads the weights itself."""
    from torch import nn

    for encoder in network.modules():
        layers = [layer for layer in encoder.modules() if isinstance(layer, nn.TransformerEncoderLayer)]
        factored = [layer for layer in layers if any(isinstance(own, nn.Sequential) for own in layer.children())]
        for layer in factored:
            layer.activation_relu_or_gelu = 0  # one of the conditions for that kernel, and for nothing else
        if factored and isinstance(encoder, nn.TransformerEncoder):
            encoder.use_nested_tensor = False


def _called_layers(network: Any, example: Sequence[Any]) -> dict[str, tuple[Any, tuple[int, int]]]:
    """The layers that are called, by name, with the positions of their inputs and outputs.

    Left out are layers whose weight another layer has too, and classes derived from torch's: these may use their weight
    in another way, as attention does with its output layer.
    """
    from torch import nn

    shared = _shared_weights(network)
    seen: dict[str, tuple[Any, tuple[int, int]]] = {}
    for name, layer, given, output, _ in layer_calls(network, example):
        if type(layer) is nn.Linear and id(layer.weight) not in shared:
            seen[name] = layer, (output.numel() // layer.out_features,) * 2
        elif type(layer) is nn.Conv2d and layer.groups == 1 and id(layer.weight) not in shared:
            seen[name] = layer, (given.numel() // layer.in_channels, output.numel() // layer.out_channels)
    return seen


def _shared_weights(network: Any) -> set[int]:
    owners: dict[int, int] = {}
    for layer in network.modules():
        for weight in layer.parameters(recurse=False):
            owners[id(weight)] = owners.get(id(weight), 0) + 1
    return {weight for weight, count in owners.items() if count > 1}


def _cheapest(layer: Any, positions: tuple[int, int], energy: float | None) -> Ranks | None:
    """The ranks with the fewest multiplications, or None where the layer as it is has no more."""
    weight = layer.weight.detach().flatten(2) if layer.weight.dim() > 2 else layer.weight.detach()[:, :, None]
    outputs, inputs, kernel = weight.shape
    out_rank = _rank(weight.flatten(1), energy)
    in_rank = _rank(weight.transpose(0, 1).flatten(1), energy)

    def cost(ranks: Ranks) -> int:
        before, behind = ranks.inputs or inputs, ranks.outputs or outputs
        reducing = positions[0] * inputs * before if ranks.inputs else 0
        making = positions[1] * behind * outputs if ranks.outputs else 0
        return int(reducing + positions[1] * before * behind * kernel + making)

    ways = [Ranks(None, out_rank), *([Ranks(in_rank, None), Ranks(in_rank, out_rank)] if kernel > 1 else [])]
    best = min(ways, key=cost)
    return best if cost(best) < cost(Ranks(None, None)) else None


def _rank(matrix: Any, energy: float | None) -> int:
    """The singular values that are kept of a matrix."""
    import torch

    full: int = min(matrix.shape)
    if energy is None:
        rank = max(1, full // 4)
    else:
        squares = torch.linalg.svdvals(matrix.double()).square()
        kept = squares.cumsum(0) / squares.sum()
        rank = min(full, int((kept < energy - 1e-12).sum()) + 1)
    return min(full, -(-rank // BLOCK) * BLOCK) if full >= WIDE else rank


def _factors(layer: Any, ranks: Ranks) -> Any:
    """The layers that take the place of ``layer``, with new weights."""
    from torch import nn

    if isinstance(layer, nn.Linear):
        assert ranks.outputs is not None
        first = nn.Linear(layer.in_features, ranks.outputs, bias=False)
        return nn.Sequential(first, nn.Linear(ranks.outputs, layer.out_features, bias=layer.bias is not None))
    return nn.Sequential(*_convolutions(layer, ranks))


def _convolutions(layer: Any, ranks: Ranks) -> Iterator[Any]:
    from torch import nn

    before, behind = ranks.inputs or layer.in_channels, ranks.outputs or layer.out_channels
    biased = layer.bias is not None
    if ranks.inputs:
        yield nn.Conv2d(layer.in_channels, before, 1, bias=False)
    yield nn.Conv2d(
        before,
        behind,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        bias=biased and not ranks.outputs,
        padding_mode=layer.padding_mode,
    )
    if ranks.outputs:
        yield nn.Conv2d(behind, layer.out_channels, 1, bias=biased)


def _set_values(factors: Any, layer: Any, ranks: Ranks) -> None:
    """Give ``factors`` the weights whose product comes close to that of ``layer``: Tucker-2 by two SVDs, or one SVD."""
    import torch

    weight = layer.weight.detach().double()
    core, parts = weight, list(factors)
    with torch.no_grad():
        if ranks.outputs:
            basis = _basis(weight.flatten(1), ranks.outputs)
            core = torch.einsum("oi...,or->ri...", core, basis)
            _copy(parts.pop(), basis)
        if ranks.inputs:
            basis = _basis(weight.transpose(0, 1).flatten(1), ranks.inputs)
            core = torch.einsum("oi...,ir->or...", core, basis)
            _copy(parts.pop(0), basis.T)
        (middle,) = parts
        _copy(middle, core)
        if layer.bias is not None:
            factors[-1].bias.copy_(layer.bias)
    for parameter in factors.parameters():
        parameter.requires_grad_(layer.weight.requires_grad)


def _basis(matrix: Any, rank: int) -> Any:
    """The left singular vectors of the largest values, ``(rows, rank)``."""
    import torch

    return torch.linalg.svd(matrix, full_matrices=False).U[:, :rank]


def _copy(layer: Any, values: Any) -> None:
    layer.weight.copy_(values.reshape(layer.weight.shape))
