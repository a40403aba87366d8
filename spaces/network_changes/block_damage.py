"""What the loss of each block does to the outputs of a network, measured block by block."""

from collections.abc import Sequence
from typing import Any

from spaces.network_changes.removable_blocks import skipped


def damages(network: Any, blocks: Sequence[str], examples: Sequence[Sequence[Any]]) -> dict[str, float]:
    """By block the squared difference of the outputs without it, as a share of the squares of the whole network's.

    Args:
        network: In eval mode.
        blocks: Names of blocks that give a tensor of the shape that they take.
        examples: Each a tensor for each input, of one example.
    """
    import torch

    batches = _batches(examples)
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


def _batches(examples: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The examples as one batch where their shapes are the same, else one by one."""
    import torch

    shapes = {tuple(tuple(tensor.shape) for tensor in example) for example in examples}
    if len(shapes) > 1:
        return [tuple(example) for example in examples]
    return [tuple(torch.cat(tensors) for tensors in zip(*examples, strict=True))]
