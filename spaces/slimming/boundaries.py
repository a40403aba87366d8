"""Layers that torch-pruning cannot change, as boundaries of the graph in which channels are removed.

Recurrent layers, attention and parametrised layers are hidden from the tracing: what is given to one keeps its
channels as an output of the network does, and what one gives is a new start, whose channels stay too. So the rest of a
network is slimmed, and they are left as they are, but for recurrent layers (see `spaces.slimming.recurrent`). It
imports torch only when called.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any


@contextmanager
def traced(network: Any, inputs: Sequence[Any], *, attention: bool, hidden: Sequence[Any] = ()) -> Iterator[Any]:
    """Context in which ``network`` has boundaries; its value is a ``torch.nn.Module`` to trace in its place.

    That gives all tensors that must keep their channels and depend on a weight: the network's outputs, those that are
    not judged too, and what is given to a boundary. Its ``sources`` are the layers that stand for what begins anew, and
    its ``boundaries`` have the hidden ``layer`` and those that stand for its outputs, ``starts``.

    Args:
        network: A ``torch.nn.Module`` in eval mode.
        inputs: A batch of one for each of its inputs.
        attention: Whether attention is a boundary.
        hidden: Other blocks that are boundaries.
    """
    boundaries = _hide(network, lambda layer: _is_boundary(layer, attention) or any(layer is one for one in hidden))
    try:
        module = layer_class("Traced", _run)()
        module.network, module.boundaries = network, tuple(boundary for *_, boundary in boundaries)
        module.outputs, module.sources = [], []
        inner = getattr(network, "judged_network", network)
        seen = inner.register_forward_hook(lambda _, __, outputs: module.outputs.extend(_tensors(outputs)))
        try:
            module.starts = _sources(len(inputs) if len(inputs) > 1 else 0)
            module(*inputs)  # counts how many tensors each boundary gives
            for boundary in module.boundaries:
                boundary.starts = _sources(boundary.position)
            module.sources = [*module.starts, *(source for b in module.boundaries for source in b.starts)]
            yield module
        finally:
            seen.remove()
    finally:
        for parent, name, boundary in boundaries:
            parent._modules[name] = boundary.__dict__["layer"]


def left_alone(network: Any, *, attention: bool) -> tuple[str, ...]:
    """The kinds of layers in ``network`` that are boundaries, such as ``GRU``."""
    kinds = (type(layer).__name__ for layer in network.modules() if _is_boundary(layer, attention))
    return tuple(sorted(set(kinds)))


def blocks_that_call_no_layer(network: Any, inputs: Sequence[Any]) -> list[Any]:
    """The blocks that use the weights of a layer in them without calling it, so that the graph does not show it."""
    import torch

    called: set[Any] = set()
    hooks = [layer.register_forward_pre_hook(lambda layer, _: called.add(layer)) for layer in network.modules()]
    try:
        with torch.enable_grad():
            network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    weighted = {layer for layer in network.modules() if [*layer.parameters(recurse=False)]}
    blocks = (block for block in network.modules() if block in called and block is not network)
    return [block for block in blocks if {*block.children()} & weighted - called]


def source_pruner() -> dict[Any, Any]:
    """What torch-pruning must know of a source: how many channels it has, and that none is removed."""
    import torch_pruning

    def channels(_: Any, source: Any) -> int | None:
        return source.channels or None

    kept = {"get_out_channels": channels, "get_in_channels": channels}
    return {layer_class("Source", _begin_anew): type("SourcePruner", (torch_pruning.ops.DummyPruner,), kept)()}


def _is_boundary(layer: Any, attention: bool) -> bool:
    from torch import nn
    from torch.nn.utils import parametrize

    kinds = (nn.RNNBase, nn.RNNCellBase, *((nn.MultiheadAttention,) if attention else ()))
    return isinstance(layer, kinds) or parametrize.is_parametrized(layer)


def _hide(network: Any, is_boundary: Callable[[Any], bool]) -> list[tuple[Any, str, Any]]:
    """Put a boundary in place of each such layer; the parents, the names and the boundaries."""
    made: dict[int, Any] = {}
    places = [
        (parent, name, layer)
        for parent in network.modules()
        for name, layer in parent._modules.items()
        if layer is not None and is_boundary(layer)
    ]
    hidden = []
    for parent, name, layer in places:
        if id(layer) not in made:
            boundary = made[id(layer)] = layer_class("Boundary", _cross, _of_the_layer)()
            # Not as a layer of its own, so that nobody who goes through the layers finds it.
            boundary.__dict__["layer"] = layer
            boundary.given, boundary.position, boundary.starts = [], 0, _sources(0)
        parent._modules[name] = made[id(layer)]
        hidden.append((parent, name, made[id(layer)]))
    return hidden


@cache
def layer_class(name: str, forward: Callable[..., Any], getattr_: Callable[..., Any] | None = None) -> Any:
    """A class of layers; it is made here because a class statement would import torch."""
    from torch import nn

    return type(name, (nn.Module,), {"forward": forward, **({"__getattr__": getattr_} if getattr_ else {})})


def _sources(number: int) -> Any:
    from torch import nn

    sources: list[Any] = [layer_class("Source", _begin_anew)() for _ in range(number)]
    for source in sources:
        source.channels = 0
    return nn.ModuleList(sources)


def _begin_anew(source: Any, tensor: Any) -> Any:
    """``tensor`` as if it came from nowhere; the channels are the last of two or three dimensions, else the second."""
    source.channels = int(tensor.shape[-1 if tensor.dim() in (2, 3) else 1]) if tensor.dim() > 1 else 0
    return tensor.detach().requires_grad_().clone()


def _run(module: Any, *inputs: Any) -> list[Any]:
    module.outputs.clear()
    for boundary in module.boundaries:
        boundary.given, boundary.position = [], 0
    if len(module.starts):
        inputs = tuple(
            source(tensor) if tensor.is_floating_point() else tensor
            for source, tensor in zip(module.starts, inputs, strict=True)
        )
    module.network(*inputs)
    given = (_channels_second(tensor) for boundary in module.boundaries for tensor in boundary.given)
    return [tensor for tensor in (*module.outputs, *given) if tensor.requires_grad and tensor.grad_fn is not None]


def _channels_second(tensor: Any) -> Any:
    """Boundaries take their channels last, and torch-pruning looks for those of an output in the second place."""
    return tensor.movedim(-1, 1) if tensor.dim() > 2 else tensor


def _cross(boundary: Any, *arguments: Any, **named: Any) -> Any:
    """Call the hidden layer, and let everything that it gives begin anew."""
    import torch

    boundary.given.extend(tensor for tensor in _tensors((arguments, named)) if tensor.requires_grad)
    with torch.no_grad():
        outputs = boundary.__dict__["layer"](*arguments, **named)
    return _replaced(outputs, lambda tensor: _next_source(boundary, tensor))


def _next_source(boundary: Any, tensor: Any) -> Any:
    position, boundary.position = boundary.position, boundary.position + 1
    return boundary.starts[position](tensor) if position < len(boundary.starts) else tensor


def _of_the_layer(boundary: Any, name: str) -> Any:
    """An attribute that a boundary does not have is that of the hidden layer, such as ``hidden_size``."""
    from torch import nn

    try:
        return nn.Module.__getattr__(boundary, name)
    except AttributeError:
        return getattr(boundary.__dict__["layer"], name)


def _tensors(values: Any) -> list[Any]:
    """All floating-point tensors in nested tuples, lists, mappings and dataclasses."""
    found: list[Any] = []

    def note(tensor: Any) -> Any:
        found.append(tensor)
        return tensor

    _replaced(values, note)
    return found


def _replaced(values: Any, change: Callable[[Any], Any]) -> Any:
    """``values`` with what ``change`` makes of each floating-point tensor in them; dataclasses are kept as they are."""
    from torch import Tensor
    from torch.nn.utils.rnn import PackedSequence

    if isinstance(values, Tensor):
        return change(values) if values.is_floating_point() else values
    if isinstance(values, PackedSequence):
        return PackedSequence(change(values.data), *values[1:])
    if isinstance(values, Mapping):
        return {name: _replaced(value, change) for name, value in values.items()}
    if isinstance(values, (tuple, list)):
        parts = [_replaced(value, change) for value in values]
        return type(values)(*parts) if hasattr(values, "_fields") else type(values)(parts)
    if is_dataclass(values):
        for field in fields(values):
            _replaced(getattr(values, field.name), change)
    return values
