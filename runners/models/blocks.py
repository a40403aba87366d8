"""The blocks of a network, from its inputs to its outputs: what is frozen, or trained at a rate of its own, together.

A network is taken apart into its layers, and every container (`nn.Sequential` and its like), and whatever holds more
than half of the weights, into what is in it; all else, as a residual block or a layer of a transformer, is a block.
A normalisation belongs to the block before it. So resnet18 has 10 blocks: the first convolution, eight residual blocks
and the head.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from runners.models.called_layers import called_layers, inner_layers

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
LARGE = 0.5
"""Share of the weights from which on a part that is no container is taken apart too."""


@dataclass
class Block:
    """Layers that come one after the other.

    Attributes:
        name: Name of the first of them in the network.
        layers: The layers.
        parameters: Their parameters by name.
    """

    name: str
    layers: list[nn.Module] = field(default_factory=list)
    parameters: dict[str, nn.Parameter] = field(default_factory=dict)


def blocks(network: nn.Module, example: Sequence[Tensor]) -> list[Block]:
    """The blocks of ``network`` in the order in which it calls them; the last one is its head.

    A parameter that two blocks share belongs to the first of them, and one that is in no layer, such as the positions
    of a transformer, to the first block.

    Args:
        network: Called once, in eval mode.
        example: A tensor ``(n, *input_shape)`` for each input.
    """
    order = {call.name: number for number, call in enumerate(called_layers(network, example))}
    parts = [(name, part) for name, part in _parts(network) if any(True for _ in part.parameters())]
    place = -1
    placed = [(place := order.get(name, place), name, part) for name, part in parts]
    found: list[Block] = []
    taken: set[int] = set()
    for _, name, part in sorted(placed, key=lambda each: each[0]):
        own = {f"{name}.{key}": value for key, value in part.named_parameters() if id(value) not in taken}
        taken.update(map(id, own.values()))
        if not found or any(value.dim() > 1 for value in own.values()):
            found.append(Block(name))
        found[-1].layers.append(part)
        found[-1].parameters.update(own)
    if found:
        loose = {key: value for key, value in network.named_parameters() if id(value) not in taken}
        found[0].parameters.update(loose)
    return found


def _parts(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The network taken apart, in the order in which it registers its layers."""
    total = _size(network)
    waiting = [*_children("", network)]
    while waiting:
        name, part = waiting.pop(0)
        inner = [*_children(name, part)]
        if inner and (isinstance(part, CONTAINERS) or _size(part) > LARGE * total):
            waiting[:0] = inner
        else:
            yield name, part


def _children(name: str, part: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    return ((f"{name}.{key}" if name else key, child) for key, child in inner_layers(part))


def _size(part: nn.Module) -> int:
    return sum(parameter.numel() for parameter in part.parameters())
