"""torchvision's networks for classification and segmentation, by name."""

from contextlib import suppress
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models

from runners.models.failed_making import request_error
from spaces.errors import RequestError
from spaces.setting_error import did_you_mean

# Mean and deviation of ImageNet's training images, with which all of torchvision's weights were trained.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def segmenters() -> list[str]:
    """The names of the networks for segmentation; they answer with a dict, whose ``out`` is ``(n, classes, h, w)``."""
    return list(models.list_models(module=models.segmentation))


def build(name: str, classes: int, size: int, from_imagenet: bool = False) -> nn.Module:
    """A network with new weights for ``(n, 3, size, size)`` and this number of classes; nothing is downloaded.

    Args:
        name: A network for classification, or one of `segmenters`.
        classes: Number of outputs.
        size: Side of the images in pixels, which some networks need to know.
        from_imagenet: Whether torchvision's weights will be loaded: two networks then normalise their inputs anew.

    Raises:
        RequestError: torchvision cannot make it.
    """
    builder = models.get_model_builder(name)
    options: dict[str, Any] = {"num_classes": classes, "weights": None}
    if name in segmenters():
        options["weights_backbone"] = None  # else they are downloaded
    if name in ("googlenet", "inception_v3"):
        # Plain classifiers: the extra heads only help training, and a network with three outputs is no
        # classifier. Their weights were trained on inputs normalised in another way.
        options |= {"aux_logits": False, "init_weights": not from_imagenet, "transform_input": from_imagenet}
    if name.startswith("vit_"):
        options["image_size"] = size
    if name.startswith("maxvit"):
        options["input_size"] = (size, size)
    with request_error(f"torchvision cannot make {name} for images of {size}x{size}"):
        network: nn.Module = builder(**options)
    return network


def without_numbers(name: str, classes: int, size: int) -> nn.Module:
    """The network with the shapes of its weights alone where that can be made: it takes a tenth of the time.

    The RegNets of torchvision compute with a weight while they are made, which needs its numbers.
    """
    with suppress(RequestError), torch.device("meta"):
        return build(name, classes, size)
    return build(name, classes, size)


def least_side(name: str) -> int:
    """The smallest side of an image in pixels that the network takes."""
    needed: int = max(_weights_of(name)["DEFAULT"].meta.get("min_size", (1, 1)))
    return needed


def fetch(name: str, weights: str) -> dict[str, Tensor]:
    """torchvision's own weights, downloaded where they are not here yet.

    Raises:
        RequestError: There are none of that name, or they cannot be fetched.
    """
    known = _weights_of(name)
    if weights not in known:
        near = did_you_mean(weights, known)
        raise RequestError(f"{name} has no weights {weights!r}{near}; it has {', '.join(known)}")
    with request_error(f"the weights {weights} of {name} cannot be fetched"):
        state: dict[str, Tensor] = known[weights].get_state_dict(progress=False, check_hash=True)
    return state


@cache
def _weights_of(name: str) -> dict[str, Any]:
    """Weights that torchvision offers by name; nothing is fetched."""
    enumeration = models.get_model_weights(name)
    return dict(enumeration.__members__) | {"DEFAULT": enumeration["DEFAULT"]}
