"""A workload made from settings: a network that classifies images, and a folder of them."""

from functools import partial
from inspect import Parameter, signature
from pathlib import Path

from torch import Tensor, nn

from runners.datasets.crop_and_flip import crop_and_flip
from runners.datasets.image_folder import Triple, native_side, open_image_folder
from runners.models import torchvision_models
from runners.models.program_file import ProgramFile
from runners.models.torchvision_models import MEAN, STD
from runners.models.weights_file import leave_out, misfit, read_weights
from runners.workload import Workload
from runners.workload_loading.image_settings import ImageSettings
from runners.workload_loading.user_code import type_of, user_code
from runners.workload_loading.user_module import load_module
from runners.workload_loading.weights_settings import TIMM, TORCHVISION
from spaces.errors import RequestError
from spaces.named_networks import timm_models
from spaces.named_networks.torchvision_names import classifier_problem
from spaces.plans import TrainingPlan
from spaces.setting_error import did_you_mean

SMALL_SIDE = 128
"""Images up to this side in pixels are taken as they are."""
USUAL_SIDE = 224
"""Others are scaled to the size that most classifiers of images were made for."""


def make_workload(settings: ImageSettings) -> Workload:
    """The workload: its model fits the classes of the folder, and its training suits the model.

    Raises:
        RequestError: The model or its weights are unknown, the weights do not fit, or the images are not as
            `open_image_folder` needs them.
    """
    check_model(settings)
    mean, std = _normalisation(settings)
    splits = open_image_folder(Path(settings.images), USUAL_SIDE, mean, std, settings.division)
    classes = len(next(iter(splits.values())).classes)
    size = settings.image_size or _suitable_size(settings, native_side(splits.values()))
    if settings.own_weights:
        _check_own_weights(settings, classes, size)
    return Workload(
        name=settings.name,
        model=ProgramFile(settings.program) if settings.program else partial(make_network, settings, classes, size),
        data=partial(open_image_folder, Path(settings.images), size, mean, std, settings.division),
        training=TrainingPlan(
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate or _suitable_rate(settings, classes, size),
            **settings.training,
        ),
        pretrained=settings.pretrained,
        augment=crop_and_flip,
    )


def make_network(settings: ImageSettings, classes: int, size: int) -> nn.Module:
    """The network for ``(n, 3, size, size)`` to ``(n, classes)``, with the weights that the settings ask for.

    Raises:
        RequestError: The weights are unknown, cannot be fetched, or do not fit.
    """
    network = _build(settings, classes, size, downloads=True)
    if settings.own_weights:
        network.load_state_dict(_own_weights(settings, network, classes), strict=not settings.new_head)
    elif settings.weights and settings.family == TORCHVISION:
        _load_matching(network, torchvision_models.fetch(settings.model_name, settings.weights))
    return network


def check_model(settings: ImageSettings) -> None:
    """Raise `RequestError` where there is no such model; it names the most similar."""
    if settings.program:
        ProgramFile(settings.program)()
    elif settings.family == TORCHVISION:
        if problem := classifier_problem(settings.model_name):
            raise RequestError(problem)
    elif settings.family == TIMM:
        timm_models.check_name(settings.model_name)
    else:
        module = load_module(settings.family)
        if not callable(getattr(module, settings.model_name, None)):
            functions = [name for name, value in vars(module).items() if callable(value)]
            near = did_you_mean(settings.model_name, functions)
            raise RequestError(f"{settings.family} has no function {settings.model_name}{near}")


def _build(settings: ImageSettings, classes: int, size: int, downloads: bool) -> nn.Module:
    """The network; of downloaded weights it has only those that the library itself loads."""
    from_library = bool(settings.weights) and settings.own_weights is None
    network: nn.Module
    if settings.family == TORCHVISION:
        network = torchvision_models.build(settings.model_name, classes, size, from_imagenet=bool(settings.weights))
        return network
    if settings.family == TIMM:
        network = timm_models.build(settings.model_name, classes, size, pretrained=from_library and downloads)
        return network
    function = getattr(load_module(settings.family), settings.model_name)
    with user_code(f"making the network with {settings.model_name}"):
        arguments = signature(function).parameters.values()
        takes_classes = any(each.name == "num_classes" or each.kind is Parameter.VAR_KEYWORD for each in arguments)
        made = function(num_classes=classes) if takes_classes else function()
    if not isinstance(made, nn.Module):
        raise RequestError(f"{settings.model_name} gives {type_of(made)}; it must give a torch.nn.Module")
    return made


def _normalisation(settings: ImageSettings) -> tuple[Triple, Triple]:
    """Mean and deviation of the colours, those with which the library's weights were trained."""
    return timm_models.normalisation(settings.model_name) if settings.family == TIMM else (MEAN, STD)


def _suitable_size(settings: ImageSettings, side: int | None) -> int:
    """The images' own side where they are small, else 224; never below what the model needs."""
    least = torchvision_models.least_side(settings.model_name) if settings.family == TORCHVISION else 1
    return max(side if side and side <= SMALL_SIDE else USUAL_SIDE, least)


def _suitable_rate(settings: ImageSettings, classes: int, size: int) -> float:
    """0.1 with batch normalisation; 0.01 without it, where 0.1 diverges, and from trained weights, which 0.1 spoils.

    With AdamW it is 0.001, and 0.0001 from trained weights.
    """
    if settings.program:  # never trained
        return TrainingPlan().learning_rate
    if settings.training.get("optimiser") == "adamw":
        return 1e-4 if settings.weights else 1e-3
    network = _without_numbers(settings, classes, size)
    normalised = any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    return 0.1 if normalised and not settings.weights else 0.01


def _without_numbers(settings: ImageSettings, classes: int, size: int) -> nn.Module:
    """The network for its layers and shapes alone."""
    if settings.family == TORCHVISION:
        return torchvision_models.without_numbers(settings.model_name, classes, size)
    return _build(settings, classes, size, downloads=False)


def _load_matching(network: nn.Module, given: dict[str, Tensor]) -> None:
    """Copy every tensor whose name and shape are the same; the head for other classes stays as it was made."""
    own = network.state_dict()
    fitting = {name: tensor for name, tensor in given.items() if name in own and own[name].shape == tensor.shape}
    network.load_state_dict(fitting, strict=False)


def _check_own_weights(settings: ImageSettings, classes: int, size: int) -> None:
    """Raise `RequestError` where the person's own weights do not fit the model."""
    _own_weights(settings, _without_numbers(settings, classes, size), classes)


def _own_weights(settings: ImageSettings, network: nn.Module, classes: int) -> dict[str, Tensor]:
    """The person's own weights, which fit ``network``; without those of its head where that is new."""
    file = settings.own_weights
    assert file is not None
    own, given = network.state_dict(), read_weights(file)
    if settings.family == TORCHVISION:  # the extra heads of some networks, which only help training
        given = {name: tensor for name, tensor in given.items() if not name.lower().startswith("aux")}
    if settings.new_head:
        head = _head(network, classes)
        own, given = (leave_out(head, each) for each in (own, given))
    if problem := misfit(own, given):
        advice = "; train it on these, or start from it with new_head: true" if _differs_in_head(network, given) else ""
        raise RequestError(f"{file.name} does not fit {settings.model_name} with {classes} classes: {problem}{advice}")
    return dict(given)


def _differs_in_head(network: nn.Module, given: dict[str, Tensor]) -> bool:
    """Whether the last layer alone keeps ``given`` from being the weights of ``network``."""
    own = network.state_dict()
    head = [*own][-1].rpartition(".")[0]
    return not misfit(leave_out(head, own), leave_out(head, given))


def _head(network: nn.Module, classes: int) -> str:
    """The name of the last layer whose weight has a row for each class."""
    weights = [name for name, weight in network.named_parameters() if weight.dim() > 1 and len(weight) == classes]
    rows = [name.rpartition(".")[0] for name in weights]
    if not rows:
        raise RequestError(f"no layer of the network has a row of weights for each of the {classes} classes")
    return rows[-1]
