"""How important each block of a network is: how much its outputs change without it."""

from collections.abc import Sequence
from typing import Any

from spaces.network_changes.joined_examples import joined
from spaces.network_changes.removable_blocks import skipped


def importances(network: Any, blocks: Sequence[str], examples: Sequence[Sequence[Any]]) -> dict[str, float]:
    """By block the squared difference of the outputs without it, as a share of the squares of the whole network's.

    Args:
        network: In eval mode.
        blocks: Names of blocks that give a tensor of the shape that they take.
        examples: Each a tensor for each input, of one example.
    """
    import torch

    batches = joined(examples)
    found = {}
    with torch.no_grad():
        whole = [network(*batch) for batch in batches]
        scale = sum(float(outputs.square().sum()) for outputs in whole)
        for name in blocks:
            with skipped(network, name):
                without = [network(*batch) for batch in batches]
            lost = sum(float((a - b).square().sum()) for a, b in zip(whole, without, strict=True))
            found[name] = lost / max(scale, 1e-30)
    return found
