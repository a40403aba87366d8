"""torchvision's networks for classification and segmentation, made by name with new weights."""

from functools import cache
from importlib import import_module
from typing import Any

from spaces.named_networks.failed_making import request_error
from spaces.named_networks.torchvision_names import registered_names

MADE_FOR_A_SIZE = ("vit_", "maxvit")
"""How the names of networks begin that are made for one size of images."""


def build(name: str, classes: int, size: int, from_imagenet: bool = False) -> Any:
    """A network with new weights for ``(n, 3, size, size)`` and this number of classes; nothing is downloaded.

    Args:
        name: A network for classification or segmentation; one for segmentation answers with a dict, whose ``out`` is
            ``(n, classes, h, w)``.
        classes: Number of outputs.
        size: Side of the images in pixels, which some networks need to know.
        from_imagenet: Whether torchvision's weights will be loaded: two networks then normalise their inputs anew.

    Raises:
        RequestError: torchvision cannot make it.
    """
    builder = import_module("torchvision.models").get_model_builder(name)
    options: dict[str, Any] = {"num_classes": classes, "weights": None}
    if name in registered_names("segmentation"):
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
        network = builder(**options)
    return network


def least_side(name: str) -> int:
    """The smallest side of an image in pixels that the network takes where it is made for its weights' size."""
    needed: int = max(weights_of(name)["DEFAULT"].meta.get("min_size", (1, 1)))
    return needed


@cache
def weights_of(name: str) -> dict[str, Any]:
    """Weights that torchvision offers by name; nothing is fetched."""
    enumeration = import_module("torchvision.models").get_model_weights(name)
    return dict(enumeration.__members__) | {"DEFAULT": enumeration["DEFAULT"]}
