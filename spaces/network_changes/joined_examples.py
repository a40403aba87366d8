"""Examples joined to batches, on which a network is called; it imports torch only when called."""

from collections.abc import Sequence
from typing import Any


def joined(examples: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The examples as one batch where they have the same shapes, else each by itself.

    Args:
        examples: Each a tensor ``(1, ...)`` for each input.
    """
    import torch

    shapes = {tuple(tensor.shape for tensor in example) for example in examples}
    if len(shapes) > 1:
        return [tuple(example) for example in examples]
    return [tuple(map(torch.cat, zip(*examples, strict=True)))]
