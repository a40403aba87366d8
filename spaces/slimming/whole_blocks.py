"""Blocks of attention that torch-pruning finds no way through, as one layer each; it imports torch only when called.

Such a block computes ``(n, ..., c)`` from ``(n, ..., c)``, with weights whose sizes are multiples of ``c``, as the
shifted windows of Swin do. As one layer it has ``c`` channels, and with those that are removed all its weights lose
rows and columns. The heads stay, and get narrower: that is right for a new network alone.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from spaces.slimming.boundaries import blocks_that_call_no_layer, layer_class
from spaces.slimming.layers import is_product, nodes_before


def attention_blocks(network: Any, inputs: Sequence[Any]) -> list[Any]:
    """The smallest blocks that multiply features with each other, or use the weights of a layer without calling it,
    and that give features of the shape that they are given; not PyTorch's own attention.
    """
    from torch import nn

    found = [*blocks_that_call_no_layer(network, inputs), *_blocks_of_products(network, inputs)]
    return [block for block in dict.fromkeys(found) if not isinstance(block, nn.MultiheadAttention)]


def _blocks_of_products(network: Any, inputs: Sequence[Any]) -> list[Any]:
    """Of each product of features, the smallest block that computes it and gives what it is given in shape."""
    import torch

    spans: list[tuple[int, int, Any]] = []
    begun: list[int] = []

    def begin(_: Any, __: Any) -> None:
        begun.append(_next_number())

    def end(block: Any, given: Any, output: Any) -> None:
        first = output[0] if isinstance(output, tuple) else output
        begin, alike = begun.pop(), given and _is_features(given[0]) and getattr(first, "shape", None) == given[0].shape
        if alike and block is not network and any(True for _ in block.children()):
            spans.append((begin, _next_number(), block))

    hooks = [
        hook for m in network.modules() for hook in (m.register_forward_pre_hook(begin), m.register_forward_hook(end))
    ]
    try:
        with torch.enable_grad():
            output = network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    products = [node._sequence_nr() for node in nodes_before([output.grad_fn]) if is_product(node)]
    around = [[span for span in spans if span[0] < number < span[1]] for number in products]
    return [min(inside, key=lambda span: span[1] - span[0])[2] for inside in around if inside]


def _next_number() -> int:
    """The number of a new node of autograd's graph; they count up."""
    import torch

    return int((torch.zeros((), requires_grad=True) + 0).grad_fn._sequence_nr())  # type: ignore[union-attr]


def _is_features(given: Any) -> bool:
    from torch import Tensor

    return isinstance(given, Tensor) and given.is_floating_point() and given.dim() > 2


@contextmanager
def as_one_layer(network: Any, blocks: Sequence[Any]) -> Iterator[None]:
    """Context in which each of ``blocks`` is one layer of ``network``, see `whole_pruner`."""
    places = [
        (parent, name, block)
        for parent in network.modules()
        for name, block in parent._modules.items()
        if any(block is one for one in blocks)
    ]
    for parent, name, block in places:
        whole = parent._modules[name] = layer_class("Whole", _call)()
        whole.__dict__["layer"], whole.width = block, 0  # not as a layer of its own, so that nobody finds those in it
    try:
        yield
    finally:
        for parent, name, block in places:
            parent._modules[name] = block


def whole_pruner() -> dict[Any, Any]:
    """What torch-pruning must know of a block that is one layer: its width, and how it gets narrower."""
    import torch_pruning

    def width(_: Any, whole: Any) -> int | None:
        return whole.width or None

    def prune(_: Any, whole: Any, places: Sequence[int]) -> Any:
        _narrow(whole.__dict__["layer"], whole.width, {*places})
        whole.width -= len(places)
        return whole

    own = {"get_out_channels": width, "get_in_channels": width, "prune_out_channels": prune, "prune_in_channels": prune}
    return {layer_class("Whole", _call): type("WholePruner", (torch_pruning.ops.DummyPruner,), own)()}


def _call(whole: Any, features: Any, *others: Any, **named: Any) -> Any:
    """What the block gives, as if it were computed from ``features`` by one operation that keeps their channels."""
    import torch

    whole.width = int(features.shape[-1])
    with torch.no_grad():
        outputs = whole.__dict__["layer"](features, *others, **named)
    first = outputs[0] if isinstance(outputs, tuple) else outputs
    linked = features + (first - features).detach()
    return (linked, *outputs[1:]) if isinstance(outputs, tuple) else linked


def _narrow(block: Any, width: int, removed: set[int]) -> None:
    """Take channels out of all weights of ``block`` that have ``width`` of them, or several times as many."""
    import torch

    left = width - len(removed)
    for layer in block.modules():
        for name, weight in [*layer.named_parameters(recurse=False)]:
            cut = weight.detach()
            for dimension, size in enumerate(weight.shape):
                if size % width == 0:
                    kept = [place for place in range(size) if place % width not in removed]
                    cut = cut.index_select(dimension, torch.tensor(kept))
            setattr(layer, name, torch.nn.Parameter(cut, requires_grad=weight.requires_grad))
        for name, value in [*vars(layer).items()]:
            if name == "head_dim":
                layer.head_dim = value * left // width
            elif isinstance(value, int) and not isinstance(value, bool) and value and value % width == 0:
                setattr(layer, name, value // width * left)
