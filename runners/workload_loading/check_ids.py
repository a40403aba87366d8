"""Whether the whole numbers of a workload's inputs are rows that the embeddings of its network have."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from runners.array_split import ArraySplit
from runners.inputs import Arrays, as_arrays, read
from runners.workload import Split, Workload
from runners.workload_loading.split_overlap import spread
from spaces.errors import RequestError

WATCHED = 32
"""Examples on which is seen what an embedding reads: enough that no other column of numbers is the same by chance."""
LOOKED_AT = 2_000
"""Examples of a split that are looked at where they do not lie in memory."""

Place = tuple[int, int | None]
"""The number of an input, and that of one of its columns or None for all."""


def check_ids(workload: Workload, network: nn.Module) -> None:
    """Refuse an input or a column that holds a number which is no row of the embedding that reads it, in any split.

    An id beyond the last row fails in the middle of a training, with a message that names neither. What an embedding
    reads is seen in one call of ``network``; where it reads what the network computed from the ids, nothing is checked.
    """
    split = next(iter(workload.splits.values()))
    layers = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Embedding)]
    inputs = read(split, spread(len(split), WATCHED))[0] if layers else ()
    if not any(array.dtype == np.int64 for array in inputs):
        return
    readers: dict[Place, tuple[str, int]] = {}

    def note(name: str, layer: nn.Embedding, given: Tensor) -> None:
        places = list(_same(inputs, given))
        if len(places) == 1 and layer.num_embeddings < readers.get(places[0], (name, sys.maxsize))[1]:
            readers[places[0]] = name, layer.num_embeddings

    hooks = [
        layer.register_forward_pre_hook(lambda layer, given, name=name: note(name, layer, given[0]))
        for name, layer in layers
    ]
    try:
        with suppress(Exception), torch.no_grad():  # what fails is told by the check of the outputs
            network(*map(torch.from_numpy, inputs))
    finally:
        for hook in hooks:
            hook.remove()
    for place, reader in readers.items():
        _check(workload, place, *reader)


def _same(inputs: Arrays, given: Tensor) -> Iterator[Place]:
    """The inputs of whole numbers, and their columns, that are the same as what an embedding is given."""
    for number, array in enumerate(inputs):
        if array.dtype == np.int64 and torch.equal(given, torch.from_numpy(array)):
            yield number, None
        if array.dtype == np.int64 and array.ndim == 2 and given.dim() == 1:
            columns = range(array.shape[1])
            yield from ((number, column) for column in columns if np.array_equal(given.numpy(), array[:, column]))


def _check(workload: Workload, place: Place, layer: str, count: int) -> None:
    number, column = place
    what = workload.example_inputs.names[number] + ("" if column is None else f"[:, {column}]")
    for name, split in workload.splits.items():
        bounds = [_bounds(part if column is None else part[:, column]) for part in _parts(split, number)]
        least, most = min(low for low, _ in bounds), max(high for _, high in bounds)
        if least < 0 or most >= count:
            raise RequestError(
                f"{what} of the {name} split goes from {least} to {most}, but the embedding {layer!r} of its model has "
                f"{count} rows, 0 to {count - 1}; make the embedding larger, or map other ids into it"
            )


def _bounds(ids: NDArray[Any]) -> tuple[int, int]:
    return int(ids.min()), int(ids.max())


def _parts(split: Split, number: int) -> Iterator[NDArray[Any]]:
    """All values of one input where they lie in memory, else those of some examples, a batch after the other."""
    if isinstance(split, ArraySplit):
        yield as_arrays(split.inputs)[number]
        return
    chosen = spread(len(split), LOOKED_AT)
    for first in range(0, len(chosen), 64):
        yield read(split, chosen[first : first + 64])[0][number]
