"""A workload made from settings: any classification model of torchvision on a folder of images."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision import models

from runners.datasets.crop_and_flip import crop_and_flip
from runners.datasets.image_folder import Triple, class_names, native_side, open_image_folder
from runners.workload import Workload
from runners.workload_loading.torchvision_settings import TorchvisionSettings
from spaces.errors import RequestError, in_one_line
from spaces.plans import TrainingPlan
from spaces.setting_error import did_you_mean

# Mean and deviation of ImageNet's training images, with which all of torchvision's weights were trained.
MEAN: Triple = (0.485, 0.456, 0.406)
STD: Triple = (0.229, 0.224, 0.225)
SMALL_SIDE = 128
"""Images up to this side in pixels are taken as they are."""
USUAL_SIDE = 224
"""Others are scaled to the size that torchvision's models were made for."""


def make_workload(settings: TorchvisionSettings) -> Workload:
    """The workload: its model fits the classes of the folder, and its training suits the model.

    Raises:
        RequestError: The model or its weights are unknown, the weights do not fit, or the images are not as
            `open_image_folder` needs them.
    """
    check_model(settings.model)
    classes = class_names(Path(settings.images))
    size = settings.image_size or _suitable_size(settings)
    network = partial(make_network, settings, len(classes), size)
    if settings.own_weights:
        _check_own_weights(settings, len(classes), size)
    return Workload(
        name=settings.name,
        model=network,
        data=partial(open_image_folder, Path(settings.images), size, MEAN, STD),
        training=TrainingPlan(
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate or _suitable_rate(settings, len(classes), size),
        ),
        pretrained=settings.own_weights is not None,
        augment=crop_and_flip,
    )


def make_network(settings: TorchvisionSettings, classes: int, size: int) -> nn.Module:
    """The network for ``(n, 3, size, size)`` to ``(n, classes)``, with the weights that the settings ask for.

    Raises:
        RequestError: The weights are unknown, cannot be fetched, or do not fit.
    """
    network = _build(settings.model, classes, size, from_imagenet=bool(settings.weights))
    if settings.own_weights:
        network.load_state_dict(_own_weights(settings, network, classes))
    elif settings.weights:
        _load_matching(network, _download(settings.model, settings.weights))
    return network


def check_model(name: str) -> None:
    """Raise `RequestError` where torchvision has no classification model of that name; it names the most similar."""
    known = models.list_models(module=models)
    if name not in known:
        near = did_you_mean(name, known)
        raise RequestError(f"torchvision has no classification model {name!r}{near}; it has {', '.join(known)}")


def _build(name: str, classes: int, size: int, from_imagenet: bool) -> nn.Module:
    builder = models.get_model_builder(name)
    options: dict[str, Any] = {"num_classes": classes, "weights": None}
    if name in ("googlenet", "inception_v3"):
        # Plain classifiers: the extra heads only help training, and a network with three outputs is no
        # classifier. Their weights were trained on inputs normalised in another way.
        options |= {"aux_logits": False, "init_weights": not from_imagenet, "transform_input": from_imagenet}
    if name.startswith("vit_"):
        options["image_size"] = size
    if name.startswith("maxvit"):
        options["input_size"] = (size, size)
    with _request_error(f"torchvision cannot make {name} for images of {size}x{size}"):
        network: nn.Module = builder(**options)
    return network


def _without_numbers(name: str, classes: int, size: int) -> nn.Module:
    """The network with the shapes of its weights alone where that can be made: it takes a tenth of the time.

    The RegNets of torchvision compute with a weight while they are made, which needs its numbers.
    """
    with suppress(RequestError), torch.device("meta"):
        return _build(name, classes, size, from_imagenet=False)
    return _build(name, classes, size, from_imagenet=False)


def _suitable_size(settings: TorchvisionSettings) -> int:
    """The images' own side where they are small, else 224; never below what the model needs."""
    splits = open_image_folder(Path(settings.images), USUAL_SIDE, MEAN, STD)
    side = native_side(splits.values())
    weights = _weights_of(settings.model)["DEFAULT"]
    needed: int = max(weights.meta.get("min_size", (1, 1)))
    return max(side if side and side <= SMALL_SIDE else USUAL_SIDE, needed)


def _suitable_rate(settings: TorchvisionSettings, classes: int, size: int) -> float:
    """0.1 with batch normalisation; 0.01 without it, where 0.1 diverges, and from trained weights, which 0.1 spoils."""
    network = _without_numbers(settings.model, classes, size)
    normalised = any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    return 0.1 if normalised and not settings.weights else 0.01


@cache
def _weights_of(model: str) -> dict[str, Any]:
    """Weights that torchvision offers by name; nothing is fetched."""
    enumeration = models.get_model_weights(model)
    return dict(enumeration.__members__) | {"DEFAULT": enumeration["DEFAULT"]}


def _download(model: str, name: str) -> dict[str, Tensor]:
    known = _weights_of(model)
    if name not in known:
        raise RequestError(f"{model} has no weights {name!r}{did_you_mean(name, known)}; it has {', '.join(known)}")
    with _request_error(f"the weights {name} of {model} cannot be fetched"):
        state: dict[str, Tensor] = known[name].get_state_dict(progress=False, check_hash=True)
    return state


def _load_matching(network: nn.Module, given: dict[str, Tensor]) -> None:
    """Copy every tensor whose name and shape are the same; the head for other classes stays as it was made."""
    own = network.state_dict()
    fitting = {name: tensor for name, tensor in given.items() if name in own and own[name].shape == tensor.shape}
    network.load_state_dict(fitting, strict=False)


def _check_own_weights(settings: TorchvisionSettings, classes: int, size: int) -> None:
    """Raise `RequestError` where the person's own weights do not fit the model."""
    _own_weights(settings, _without_numbers(settings.model, classes, size), classes)


def _own_weights(settings: TorchvisionSettings, network: nn.Module, classes: int) -> dict[str, Tensor]:
    """The person's own weights, which fit ``network``."""
    file = settings.own_weights
    assert file is not None
    try:
        given = load_file(file)
    except (OSError, SafetensorError) as error:
        raise RequestError(f"{file} cannot be read as safetensors ({error}); write it with save_file") from error
    given = {name: tensor for name, tensor in given.items() if not name.lower().startswith("aux")}
    problem = _misfit(network.state_dict(), given)
    if problem:
        raise RequestError(
            f"{file.name} does not fit {settings.model} with {classes} classes: {problem}; train it on these"
        )
    return given


def _misfit(own: dict[str, Tensor], given: dict[str, Tensor]) -> str:
    for name, tensor in own.items():
        if name not in given:
            return f"it has no {name}"
        if given[name].shape != tensor.shape:
            return f"{name} is {tuple(given[name].shape)} where the model has {tuple(tensor.shape)}"
    odd = sorted(set(given) - set(own))
    return f"the model has no {odd[0]}" if odd else ""


@contextmanager
def _request_error(problem: str) -> Iterator[None]:
    """Turns whatever torchvision raises into a `RequestError` that begins with ``problem``."""
    try:
        yield
    except Exception as error:
        raise RequestError(f"{problem} ({in_one_line(error)})") from error
