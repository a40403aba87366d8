"""Which layers of a network are called, in which order, and with what: found by one call on an example."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from runners.inputs import Arrays, network_batch
from spaces.network_changes.layer_calls import layer_calls

PARAMETRISATIONS = "parametrizations"
"""The name under which a layer holds what computes its weights at every call, such as weight norm."""


@dataclass(frozen=True)
class Call:
    """The only call of a layer.

    Attributes:
        name: The name of the layer in the network.
        layer: The layer, which may hold others.
        input: The tensor that it was given first; None where that is no tensor.
        output: The tensor that it gave; None where it gave something else.
    """

    name: str
    layer: nn.Module
    input: Tensor | None
    output: Tensor | None


def example_batch(inputs: Arrays, device: torch.device | str = "cpu") -> tuple[Tensor, ...]:
    """Two examples in one batch, a tensor for each input, on which a network can be called."""
    return tuple(torch.from_numpy(network_batch(array)).repeat_interleave(2, 0).to(device) for array in inputs)


def called_layers(network: nn.Module, example: Sequence[Tensor]) -> list[Call]:
    """The layers of ``network``, and what holds them, in the order in which their calls end.

    A layer that is called more than once, such as one activation that a block uses twice, is left out.

    Args:
        network: Called in eval mode; the mode that each layer had comes back.
        example: A tensor ``(n, *input_shape)`` for each input.
    """
    modes = {layer: layer.training for layer in network.modules()}
    try:
        calls = layer_calls(network.eval(), example)
    finally:
        for layer, training in modes.items():
            layer.training = training
    times = Counter(call.name for call in calls)
    return [
        Call(call.name, call.layer, call.input, call.output if call.gave_one else None)
        for call in calls
        if times[call.name] == 1 and PARAMETRISATIONS not in call.name.split(".")
    ]


def inner_layers(layer: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The names and the layers that ``layer`` holds, without what computes its weights."""
    return ((name, inner) for name, inner in layer.named_children() if name != PARAMETRISATIONS)
