"""Numbers of channels that a network keeps beside its layers, such as ``hidden_dim`` of torchvision's ViT.

Its forward reshapes with them, so they have to follow when layers get narrower. It imports torch only when called.
"""

from collections.abc import Callable, Iterator
from typing import Any

from spaces.slimming.layers import channels

Places = list[tuple[Any, str, int]]
"""A block, the name of a number in it, and what it becomes."""


def widths(network: Any) -> dict[Any, int]:
    """The number of output channels of each layer that has one."""
    return {layer: number for layer in network.modules() if (number := channels(layer))}


def update_written_sizes(network: Any, before: dict[Any, int], runs: Callable[[], bool]) -> bool:
    """Let numbers in the blocks of ``network`` follow the layers, where it ``runs`` only with that; whether it does.

    All numbers that were the width of a layer are tried together, then those of one name.

    Args:
        network: Slimmed.
        before: Its `widths` before.
        runs: Whether it gives what it should.
    """
    if runs():
        return True
    changes = {old: now for layer, old in before.items() if (now := channels(layer)) != old}
    places = list(_places(network, changes))
    names = dict.fromkeys(name for _, name, _ in places)
    for chosen in (places, *([place for place in places if place[1] == name] for name in names)):
        kept = [(block, name, getattr(block, name)) for block, name, _ in chosen]
        for block, name, now in chosen:
            setattr(block, name, now)
        if runs():
            return True
        for block, name, old in kept:
            setattr(block, name, old)
    return False


def _places(network: Any, changes: dict[int, int]) -> Iterator[tuple[Any, str, int]]:
    for block in network.modules():
        if any(True for _ in block.children()):
            for name, value in vars(block).items():
                if type(value) is int and value in changes and not name.startswith("_"):
                    yield block, name, changes[value]
