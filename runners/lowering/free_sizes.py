"""What `torch.export` and tracing are told of the inputs: which sizes are free, and that attention is written out."""

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import Parameter, signature
from typing import Any

import torch
from torch import Tensor, nn

from runners.inputs import ExampleInputs


def two_rows(example: ExampleInputs) -> tuple[Tensor, ...]:
    """The example twice: a network that treats a batch of one apart would be written for that alone."""
    return tuple(map(torch.from_numpy, example.repeated(2)))


def free_sizes(module: nn.Module, example: ExampleInputs) -> tuple[Any, ...]:
    """The ``dynamic_shapes`` of `torch.export.export` for a ``module`` that is called with `two_rows`.

    The batch is free, and so is what ``example`` calls dynamic, within the limits that the network itself sets, such as
    the number of its position embeddings.
    """
    batch = torch.export.Dim("batch")
    sizes = tuple(
        {0: batch} if place is None else {0: batch, place: torch.export.Dim.DYNAMIC} for place in example.dynamic
    )
    kinds = [parameter.kind for parameter in signature(module.forward).parameters.values()]
    fixed = kinds.index(Parameter.VAR_POSITIONAL) if Parameter.VAR_POSITIONAL in kinds else len(sizes)
    # What goes into ``*others`` is one argument by the signature.
    return (*sizes[:fixed], sizes[fixed:]) if len(sizes) > fixed else sizes


@contextmanager
def written_out() -> Iterator[None]:
    """Context in which PyTorch's attention layers call plain operations, and not one fused one that only it knows."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
