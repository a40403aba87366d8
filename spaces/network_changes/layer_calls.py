"""What each layer of a network is given and gives, recorded over one call; it imports torch only when called."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple


class LayerCall(NamedTuple):
    """A call of a layer.

    Attributes:
        name: The name of the layer in the network.
        layer: The layer, which may hold others.
        input: The first tensor that it was given, or None.
        output: The first tensor that it gave, or None.
        gave_one: Whether that is all that it gave.
    """

    name: str
    layer: Any
    input: Any
    output: Any
    gave_one: bool = True


def layer_calls(network: Any, example: Sequence[Any]) -> list[LayerCall]:
    """All calls of the layers of ``network``, and of what holds them, in the order in which they end.

    Args:
        network: In eval mode.
        example: A tensor for each input.
    """
    import torch

    calls: list[LayerCall] = []

    def recorder(name: str) -> Any:
        def record(layer: Any, args: Any, kwargs: Any, output: Any) -> None:
            given = first_tensor((*args, *kwargs.values()))
            found = first_tensor(output if isinstance(output, tuple) else (output,))
            calls.append(LayerCall(name, layer, given, found, isinstance(output, torch.Tensor)))

        return record

    with ExitStack() as stack, torch.no_grad():
        for name, layer in network.named_modules():
            if name and not isinstance(layer, torch.jit.ScriptModule):
                stack.callback(layer.register_forward_hook(recorder(name), with_kwargs=True).remove)
        network(*example)
    return calls


def first_tensor(values: Iterable[Any]) -> Any:
    """The first of ``values`` that is a tensor, or None."""
    import torch

    return next((value for value in values if isinstance(value, torch.Tensor)), None)
