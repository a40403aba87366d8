"""How many channels a layer keeps, and which layers keep all of them; imports torch only when called."""

from collections.abc import Sequence
from typing import Any

FEWEST_CHANNELS = 4

PRODUCTS = ("BmmBackward", "ScaledDotProduct", "_ScaledDotProduct")
"""What autograd calls products of two tensors that the network computes, as in attention."""


def channels(layer: Any) -> int:
    """The number of output channels of a layer; 0 for blocks, which only repeat the number of a layer in them."""
    if any(True for _ in layer.children()):
        return 0
    return int(getattr(layer, "out_channels", 0) or getattr(layer, "out_features", 0))


def kept_channels(given: int, keep: float, multiple: int | None = None) -> int:
    """About a share ``keep`` of the ``given`` channels, at least four.

    Args:
        given: The width of the layer.
        keep: From 0 to 1.
        multiple: What the width is rounded to a multiple of, and at least; None is 4, or 8 from 64 channels on.
    """
    block = multiple or (8 if given >= 64 else FEWEST_CHANNELS)
    return min(given, max(FEWEST_CHANNELS, multiple or 0, block * int(given * keep / block + 0.5)))


def keeping_layers(module: Any, inputs: Sequence[Any], *, attention: bool) -> list[Any]:
    """The layers that make what ``module`` gives, found in its autograd graph: they keep their channels.

    The search ends at layers with a weight matrix and continues through others, such as norms.

    Args:
        module: Gives a list of tensors.
        inputs: A batch of one for each of its inputs.
        attention: Whether layers keep their channels too whose outputs are multiplied with each other, as the queries,
            keys and values of attention are.
    """
    import torch

    made_by: dict[Any, Any] = {}

    def note(layer: Any, _: Any, output: Any) -> None:
        made_by.setdefault(_origin(output), layer)

    leaves = [m for m in module.modules() if not list(m.children()) and list(m.parameters(recurse=False))]
    hooks = [leaf.register_forward_hook(note) for leaf in leaves]
    try:
        with torch.enable_grad():
            results = module(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    starts = [result.grad_fn for result in results]
    if attention:
        starts += [factor for node in nodes_before(starts) if is_product(node) for factor, _ in node.next_functions]
    return _makers(starts, made_by)


def _makers(starts: Sequence[Any], made_by: dict[Any, Any]) -> list[Any]:
    found: list[Any] = []
    ahead, seen = [*starts], set()
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        layer = made_by.get(node)
        if layer is not None:
            found.append(layer)
        if layer is None or all(parameter.dim() < 2 for parameter in layer.parameters()):
            ahead.extend(before for before, _ in node.next_functions)
    return found


def autograd_nodes(module: Any, inputs: Sequence[Any]) -> set[Any]:
    """The nodes of autograd's graph of what ``module`` gives, a list of tensors, for ``inputs``."""
    import torch

    with torch.enable_grad():
        return nodes_before([result.grad_fn for result in module(*inputs)])


def nodes_before(starts: Sequence[Any]) -> set[Any]:
    """Everything that ``starts`` are computed from."""
    ahead, seen = [*starts], set()
    while ahead:
        node = ahead.pop()
        if node is not None and node not in seen:
            seen.add(node)
            ahead.extend(before for before, _ in node.next_functions)
    return seen


def is_product(node: Any) -> bool:
    name: str = node.name()
    return name.startswith(PRODUCTS)


def _origin(output: Any) -> Any:
    first = output[0] if isinstance(output, tuple) else output
    return getattr(first, "grad_fn", None)
