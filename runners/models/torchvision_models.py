"""torchvision's networks for classification and segmentation, by name, and its weights."""

from contextlib import suppress

import torch
from torch import Tensor, nn
from torchvision import models

from spaces.errors import RequestError
from spaces.named_networks.failed_making import request_error
from spaces.named_networks.torchvision_models import build, least_side, weights_of
from spaces.setting_error import did_you_mean

__all__ = ["MEAN", "STD", "build", "fetch", "least_side", "segmenters", "without_numbers"]

# Mean and deviation of ImageNet's training images, with which all of torchvision's weights were trained.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def segmenters() -> list[str]:
    """The names of the networks for segmentation; they answer with a dict, whose ``out`` is ``(n, classes, h, w)``."""
    return list(models.list_models(module=models.segmentation))


def without_numbers(name: str, classes: int, size: int) -> nn.Module:
    """The network with the shapes of its weights alone where that can be made: it takes a tenth of the time.

    The RegNets of torchvision compute with a weight while they are made, which needs its numbers.
    """
    with suppress(RequestError), torch.device("meta"):
        shapes: nn.Module = build(name, classes, size)
        return shapes
    network: nn.Module = build(name, classes, size)
    return network


def fetch(name: str, weights: str) -> dict[str, Tensor]:
    """torchvision's own weights, downloaded where they are not here yet.

    Raises:
        RequestError: There are none of that name, or they cannot be fetched.
    """
    known = weights_of(name)
    if weights not in known:
        near = did_you_mean(weights, known)
        raise RequestError(f"{name} has no weights {weights!r}{near}; it has {', '.join(known)}")
    with request_error(f"the weights {weights} of {name} cannot be fetched"):
        state: dict[str, Tensor] = known[weights].get_state_dict(progress=False, check_hash=True)
    return state
