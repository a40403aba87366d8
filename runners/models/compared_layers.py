"""Where a network is compared with its teacher while it learns: found by what its layers give, not by their names.

Feature maps are tensors ``(n, channels, height, width)``, or with one dimension more, of a height and width that a
convolution gives. Of all layers that give maps of one size the last one counts, as the output of a stage of the
network. Maps of one pixel are pooled ones and do not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from runners.models.called_layers import Call, called_layers, inner_layers

WITH_CHANNELS_FIRST = (4, 5)
"""Dimensions of a feature map, with the batch."""


@dataclass(frozen=True)
class Place:
    """Where the values of a layer are read.

    Attributes:
        layer: Name of the layer in the network.
        reads_input: Whether its input is read, else its output.
        shape: Of what is read there, without the batch.
    """

    layer: str
    reads_input: bool
    shape: tuple[int, ...]


def feature_maps(network: nn.Module, example: Sequence[Tensor]) -> list[Place]:
    """The last feature map of each height and width, in the order in which they are computed."""
    last: dict[tuple[int, ...], Place] = {}
    calls = [call for call in called_layers(network, example) if call.output is not None]
    sizes = {size for call in calls if isinstance(call.layer, _ConvNd) and prod(size := _size(call)) > 1}
    for call in calls:
        assert call.output is not None
        is_answer = call.output.data_ptr() == calls[-1].output.data_ptr()  # type: ignore[union-attr]
        of_batch = call.output.dim() in WITH_CHANNELS_FIRST and len(call.output) == len(example[0])
        if of_batch and _size(call) in sizes and not is_answer:
            last.pop(_size(call), None)
            last[_size(call)] = Place(call.name, False, tuple(call.output.shape[1:]))
    return [*last.values()]


def _size(call: Call) -> tuple[int, ...]:
    """The height and width of what a layer gives."""
    assert call.output is not None
    return tuple(call.output.shape[2:])


def input_of_last_layer(network: nn.Module, example: Sequence[Tensor]) -> Place | None:
    """The input of the last layer with weights, such as that of the classifier; None where it is that of the network,
    or not a tensor of floating numbers with the batch first.
    """
    weighted = [call for call in called_layers(network, example) if is_weighted_layer(call)]
    given = weighted[-1].input if len(weighted) > 1 else None
    if given is None or not given.is_floating_point() or len(given) != len(example[0]) or given.dim() < 2:
        return None
    return Place(weighted[-1].name, True, tuple(given.shape[1:]))


def is_weighted_layer(call: Call) -> bool:
    """Whether it is a layer that holds no others and has weights beside those of a normalisation."""
    return not any(inner_layers(call.layer)) and any(parameter.dim() > 1 for parameter in call.layer.parameters())


def places_of(method: str, network: nn.Module, example: Sequence[Tensor]) -> list[Place]:
    """Where a network is compared with another one by ``method``, one of `spaces.plans.DISTILLATION_METHODS`.

    Attention is compared on the feature maps, relations on the input of the last layer, and features on the feature
    maps, or on the input of the last layer where there are none. The list is empty where there is no such place.
    """
    maps = feature_maps(network, example) if method in ("features", "attention") else []
    if maps or method == "attention":
        return maps
    last = input_of_last_layer(network, example)
    return [last] if last else []


def why_not_compared(method: str, network: nn.Module, example: Sequence[Tensor]) -> str | None:
    """Why a network cannot be compared by ``method``, in one sentence, or None."""
    if places_of(method, network, example):
        return None
    if method == "attention":
        return "this network has no feature maps of several pixels (n, channels, height, width) to compare"
    return "this network has no layer whose input could be compared: its last layer with weights is its first one too"


def pairs(student: list[Place], teacher: list[Place]) -> list[tuple[Place, Place]]:
    """The places of a network and of its teacher that belong together.

    Feature maps of the same height and width do, as those of two networks of one family. Networks without a size in
    common are compared at the last place of each.
    """
    sizes = {place.shape[1:]: place for place in teacher}
    maps = [(place, sizes[place.shape[1:]]) for place in student if place.shape[1:] in sizes and not place.reads_input]
    return maps or list(zip(student[-1:], teacher[-1:], strict=False))
