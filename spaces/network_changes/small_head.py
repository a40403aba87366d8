"""The last layers of a classifier fitted to small pictures: the average over all positions, and one linear layer."""

from collections.abc import Mapping, Sequence
from typing import Any

from spaces.errors import WorkFailed
from spaces.network_changes.layer_calls import LayerCall, layer_calls


def find_head(network: Any, example: Sequence[Any]) -> dict[str, Any]:
    """Which layers make the head: ``{"pooling": name or None, "hidden": names, "linear": name, "features": number}``.

    The linear layer is the last one that is called. Hidden are the layers for features of one example, such as linear
    layers, activations and dropout, between it and the pooling, which is there where several positions are left behind
    it. The features are what the new linear layer will take.

    Args:
        network: In eval mode.
        example: A tensor for each input.

    Raises:
        WorkFailed: The network ends in another way, or in one linear layer behind an average over all positions.
    """
    from torch import nn

    called = [call for call in layer_calls(network, example) if next(call.layer.children(), None) is None]
    if not called or not isinstance(called[-1].layer, nn.Linear) or not _of_one_row(called[-1]):
        raise WorkFailed("student_head is for networks that end in a linear layer for (n, features); this one does not")
    start = len(called)
    while start > 0 and _of_one_row(called[start - 1]):
        start -= 1
    rows = called[start:]
    before = called[start - 1] if start else None
    pooled = before is not None and isinstance(before.layer, nn.AdaptiveAvgPool2d) and before.output[0, 0].numel() > 1
    hidden = [call.name for call in rows[:-1] if not isinstance(call.layer, nn.Flatten)]
    if not pooled and not any(isinstance(call.layer, nn.Linear) for call in rows[:-1]):
        raise WorkFailed("this network ends in one linear layer for the average over all positions: it fits already")
    first = next(call.layer for call in rows if isinstance(call.layer, nn.Linear))
    return {
        "pooling": before.name if before is not None and pooled else None,
        "hidden": hidden,
        "linear": called[-1].name,
        "features": before.output.shape[1] if before is not None and pooled else first.in_features,
    }


def fit_head(network: Any, head: Mapping[str, Any]) -> None:
    """Put a pooling to one position and one new linear layer in place of the layers of the ``head``.

    Args:
        network: It is changed.
        head: What `find_head` gave.
    """
    from torch import nn

    last = network.get_submodule(head["linear"])
    if head["pooling"]:
        network.set_submodule(head["pooling"], nn.AdaptiveAvgPool2d(1))
    for name in head["hidden"]:
        network.set_submodule(name, nn.Identity())
    linear = nn.Linear(head["features"], last.out_features, bias=last.bias is not None)
    network.set_submodule(head["linear"], linear)


def _of_one_row(call: LayerCall) -> bool:
    """Whether a layer gives a row of features for each example, and was given one or has no parameters."""
    from torch import nn

    if call.output is None or call.output.dim() != 2:
        return False
    return isinstance(call.layer, nn.Flatten) or (call.input is not None and call.input.dim() == 2)
