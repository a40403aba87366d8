"""What is kept of a network while it is slimmed: its size, the shape of its outputs, a way back; no torch at import."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


def size(model: Any) -> int:
    """The number of weights of ``model``."""
    return sum(parameter.numel() for parameter in model.parameters())


def output_shape(model: Any, inputs: Sequence[Any]) -> tuple[int, ...]:
    """The shape of what ``model`` gives for ``inputs``."""
    import torch

    with torch.no_grad():
        return tuple(model(*inputs).shape)


def snapshot(model: Any) -> Callable[[], None]:
    """A function that undoes what was done to the layers of ``model``; pruning puts new tensors into them."""
    kept = [
        (
            layer,
            {name: _own(value) for name, value in vars(layer).items()},
            dict(layer._parameters),
            dict(layer._buffers),
        )
        for layer in model.modules()
    ]

    def restore() -> None:
        for layer, attributes, parameters, buffers in kept:
            vars(layer).clear()
            vars(layer).update({name: _own(value) for name, value in attributes.items()})
            for table, tensors in ((layer._parameters, parameters), (layer._buffers, buffers)):
                table.clear()
                table.update(tensors)

    return restore


def _own(value: Any) -> Any:
    """``value``, or a copy of a list: recurrent layers keep one of their weights, and change it."""
    return [*value] if isinstance(value, list) else value


@contextmanager
def all_trainable(model: Any) -> Iterator[None]:
    """Context in which no parameter of ``model`` is frozen: layers are found by their gradients."""
    trainable = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    model.requires_grad_(True)
    try:
        yield
    finally:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(trainable[name])


@contextmanager
def quiet() -> Iterator[None]:
    """Context in which nothing is warned of: torch-pruning warns of every layer that it does not know."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
