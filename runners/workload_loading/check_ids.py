"""Whether the whole numbers of a workload's inputs are rows that the embeddings of its network have."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from runners.inputs import Arrays, as_arrays, read
from runners.workload import ArraySplit, Split, Workload
from runners.workload_loading.split_overlap import spread
from spaces.errors import RequestError

LOOKED_AT = 2_000
"""Examples of a split that are looked at where they do not lie in memory."""


@contextmanager
def ids_in_range(workload: Workload, network: nn.Module, inputs: Arrays) -> Iterator[None]:
    """Context in which ``network`` is called with ``inputs``: which embedding reads which input is noted, and then all
    splits are looked at.

    An id beyond the last row fails in the middle of a training, with a message that names neither.

    Raises:
        RequestError: An input of a split holds a number that is no row of the embedding that reads it.
    """
    readers: dict[int, tuple[str, int]] = {}

    def note(name: str, layer: nn.Embedding, given: Tensor) -> None:
        for number, array in enumerate(inputs):
            if array.dtype == np.int64 and torch.equal(given, torch.from_numpy(array)):
                fewest = readers.get(number, (name, layer.num_embeddings))
                readers[number] = min(fewest, (name, layer.num_embeddings), key=lambda reader: reader[1])

    hooks = [
        layer.register_forward_pre_hook(lambda layer, given, name=name: note(name, layer, given[0]))
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Embedding)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        _check(workload, readers)


def _check(workload: Workload, readers: dict[int, tuple[str, int]]) -> None:
    for number, (layer, count) in readers.items():
        input_name = workload.example_inputs.names[number]
        for name, split in workload.splits.items():
            values = _values(split, number)
            least, most = int(values.min()), int(values.max())
            if least < 0 or most >= count:
                raise RequestError(
                    f"{input_name} of the {name} split goes from {least} to {most}, but the embedding {layer!r} of its "
                    f"model has {count} rows, 0 to {count - 1}; make the embedding larger, or map other ids into it"
                )


def _values(split: Split, number: int) -> NDArray[Any]:
    """All values of one input where they lie in memory, else those of some examples."""
    if isinstance(split, ArraySplit):
        return as_arrays(split.inputs)[number]
    chosen = spread(len(split), LOOKED_AT)
    parts = [chosen[first : first + 64] for first in range(0, len(chosen), 64)]
    return np.concatenate([read(split, part)[0][number].ravel() for part in parts])
