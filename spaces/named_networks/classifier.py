"""A new classifier of a family of torchvision or timm, fitted to the pictures and classes of another network."""

from typing import Any

from spaces.errors import WorkFailed
from spaces.named_networks import timm_models, torchvision_models
from spaces.network_changes.trial_call import require_runs

TIMM = "timm:"
MOMENTUM = 0.1
"""PyTorch's default for the running statistics of batch normalisation. torchvision's MNASNet has 0.0003, MobileNetV3
0.01, for trainings of hundreds of epochs: after a short one the statistics are still nearly those of a new network."""


def new_classifier(name: str, classes: int, size: tuple[int, int, int]) -> Any:
    """A network with new weights from ``(n, *size)`` to ``(n, classes)``, in eval mode.

    Args:
        name: A network of torchvision, or of timm behind ``timm:``.
        classes: Number of outputs.
        size: Channels, height and width of the pictures. Where there are not 3 channels, the first convolution is
            another one.

    Raises:
        RequestError: The library has no such network, or cannot make it.
        WorkFailed: The network does not take pictures of this size.
    """
    import torch

    channels, height, width = size
    side = max(height, width)
    if name.startswith(TIMM):
        timm_models.check_name(name.removeprefix(TIMM))
        network = timm_models.build(name.removeprefix(TIMM), classes, side, channels=channels)
    else:
        _require_size(name, height, width)
        network = torchvision_models.build(name, classes, side)
        if channels != 3:
            _take_channels(network, channels)
    _follow_sooner(network)
    require_runs(network, [torch.zeros(1, *size)], f"{name} does not take pictures of {height}x{width}")
    return network


def _require_size(name: str, height: int, width: int) -> None:
    if name.startswith(torchvision_models.MADE_FOR_A_SIZE):
        return  # which says itself what it takes
    least = torchvision_models.least_side(name)
    if min(height, width) < least:
        raise WorkFailed(
            f"{name} takes pictures from {least}x{least} on and these are {height}x{width}; name another family"
        )


def _take_channels(network: Any, channels: int) -> None:
    """Put a convolution for pictures of so many channels in place of the first one, which takes three."""
    from torch import nn

    old: Any
    name, old = next((name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d))
    new = nn.Conv2d(
        channels, old.out_channels, old.kernel_size, old.stride, old.padding, old.dilation, bias=old.bias is not None
    )
    network.set_submodule(name, new)


def _follow_sooner(network: Any) -> None:
    """Let the running statistics of batch normalisation follow the data at least as fast as with `MOMENTUM`."""
    from torch import nn

    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.momentum is not None:
            layer.momentum = max(layer.momentum, MOMENTUM)
