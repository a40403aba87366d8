"""In which number format a network computes while it is trained."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor, nn

from runners.models.called_layers import called_layers
from runners.training.settings import Level

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def in_sound_format(level: Level, network: nn.Module, example: Callable[[], tuple[Tensor, ...]]) -> Level:
    """``level``, in fp32 where bf16 would give wrong gradients on a processor.

    PyTorch 2.14 leaves memory as it finds it in the gradient of the weights of a convolution in bf16 whose input is
    narrower than its stride, as where a network halves what is one pixel wide already. They become NaN, or huge.

    Args:
        level: How to train.
        network: It is called in eval mode.
        example: Gives a tensor for each input of the network.
    """
    if level.settings.autocast != "bf16" or next(network.parameters()).device.type != "cpu":
        return level
    narrow = any(
        isinstance(call.layer, CONVOLUTIONS) and call.input is not None and call.input.shape[-1] < call.layer.stride[-1]
        for call in called_layers(network, example())
    )
    return replace(level, settings=replace(level.settings, autocast="fp32")) if narrow else level
