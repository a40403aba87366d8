"""What techniques for pictures ask of a network: one picture in, and for classifiers a row of numbers out."""

from collections.abc import Sequence
from typing import Any

from spaces.errors import WorkFailed


def picture_size(example: Sequence[Any], what: str) -> tuple[int, int, int]:
    """Channels, height and width of the only input, a picture ``(1, channels, height, width)``.

    Args:
        example: A tensor for each input of the network.
        what: The choice that needs it, which begins the error.

    Raises:
        WorkFailed: The input is something else, or there are several.
    """
    if len(example) != 1 or example[0].dim() != 4 or not example[0].is_floating_point():
        shapes = ", ".join(str(tuple(tensor.shape[1:])) for tensor in example)
        raise WorkFailed(
            f"{what} is for networks whose only input is a picture (channels, height, width); this one takes {shapes}"
        )
    _, channels, height, width = example[0].shape
    return channels, height, width


def number_of_classes(network: Any, example: Sequence[Any], what: str) -> int:
    """The outputs of a classifier, which gives ``(n, classes)``.

    Raises:
        WorkFailed: It gives something else.
    """
    import torch

    with torch.no_grad():
        shape = tuple(network.eval()(*example).shape)
    if len(shape) != 2:
        raise WorkFailed(f"{what} is for networks that give (n, classes); this one gives (n, {str(shape[1:])[1:]}")
    return int(shape[1])
