"""The first layers of a network fitted to small pictures: a small convolution, and no pooling behind it."""

from collections.abc import Mapping, Sequence
from typing import Any

from spaces.errors import WorkFailed
from spaces.network_changes.layer_calls import layer_calls


def find_stem(network: Any, example: Sequence[Any]) -> dict[str, Any]:
    """Which layers make the stem: ``{"convolution": name, "pooling": name or None}``.

    The convolution is the first one that is called. The pooling is one with a stride between it and the second one.

    Args:
        network: In eval mode.
        example: A tensor for each input.

    Raises:
        WorkFailed: The network begins in another way, or looks at every pixel already.
    """
    from torch import nn

    kinds = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
    called = [(call.name, call.layer) for call in layer_calls(network, example) if isinstance(call.layer, kinds)]
    convolutions = [place for place, (_, layer) in enumerate(called) if isinstance(layer, nn.Conv2d)]
    if not convolutions or convolutions[0] != 0:
        raise WorkFailed("student_stem is for networks that begin with a convolution over a picture; this one does not")
    name, first = called[0]
    between = called[1 : convolutions[1]] if len(convolutions) > 1 else called[1:]
    pooling = next((name for name, layer in between if _stride(layer) > 1), None)
    if _stride(first) == 1 and pooling is None:
        raise WorkFailed(
            "the first convolution of this network has no stride and no pooling behind it: it fits already"
        )
    return {"convolution": name, "pooling": pooling}


def fit_stem(network: Any, stem: Mapping[str, Any], stride: int = 1, *, keeps_pooling: bool = False) -> None:
    """Put a new 3x3 convolution in place of that of the ``stem``, and take its pooling out unless it stays.

    Args:
        network: It is changed.
        stem: What `find_stem` gave.
        stride: Of the new convolution.
        keeps_pooling: Whether the pooling stays.
    """
    from torch import nn

    old = network.get_submodule(stem["convolution"])
    sizes = {"kernel_size": 3, "stride": stride, "padding": 1, "groups": old.groups, "bias": old.bias is not None}
    network.set_submodule(stem["convolution"], nn.Conv2d(old.in_channels, old.out_channels, **sizes))
    if stem["pooling"] and not keeps_pooling:
        network.set_submodule(stem["pooling"], nn.Identity())


def _stride(layer: Any) -> int:
    return max(layer.stride) if isinstance(layer.stride, tuple) else int(layer.stride)
