"""timm's networks for classification, by name."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from spaces.errors import RequestError
from spaces.named_networks.failed_making import request_error
from spaces.setting_error import did_you_mean


def check_name(name: str) -> None:
    """Raise `RequestError` where timm is not installed, or has no network of that name."""
    if find_spec("timm") is None:
        raise RequestError(f"timm:{name} needs `pip install 'frontrunner[timm]'`")
    timm = import_module("timm")
    if not timm.is_model(name):
        near = did_you_mean(name.partition(".")[0], timm.list_models())
        raise RequestError(f"timm has no model {name!r}{near}; timm.list_models() lists them")


def build(name: str, classes: int, size: int, pretrained: bool = False, channels: int = 3) -> Any:
    """A network for ``(n, channels, size, size)`` and this number of classes.

    Args:
        name: As timm gives it; behind a dot it may name one of several trainings.
        classes: Number of outputs.
        size: Side of the images in pixels, which some networks need to know.
        pretrained: Whether timm downloads its weights, with a new head where the classes are others.
        channels: Of the images: 1 where they are grey.

    Raises:
        RequestError: timm cannot make it, or the weights cannot be fetched.
    """
    timm = import_module("timm")
    with request_error(f"timm cannot make {name} for images of {size}x{size}"):
        # Networks that were trained for one size take another one when they are made; the rest take any.
        options = {"img_size": size} if timm.get_pretrained_cfg(name).fixed_input_size else {}
        network = timm.create_model(name, pretrained=pretrained, num_classes=classes, in_chans=channels, **options)
    return network


def normalisation(name: str) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and deviation of each colour with which timm's weights were trained."""
    found = import_module("timm").get_pretrained_cfg(name)
    return found.mean, found.std
