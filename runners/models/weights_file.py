"""Trained weights out of a file, which can run no code."""

import pickle
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from spaces.errors import RequestError, in_one_line
from spaces.setting_error import did_you_mean

HOLDING = ("state_dict", "model_state_dict", "model", "weights")
"""Keys under which a checkpoint of a training holds the weights."""
WRAPPERS = ("module.", "_orig_mod.")
"""What `torch.nn.DataParallel` and `torch.compile` put in front of the names of weights."""

Network = TypeVar("Network", bound=nn.Module)


def load_weights(network: Network, file: str | Path, new_head: str = "") -> Network:
    """``network`` itself, with the weights of a file.

    Args:
        network: Its class decides the names and shapes of the weights.
        file: Safetensors, or what `torch.save` wrote of ``network.state_dict()``, alone or in a checkpoint. A file that
            holds anything but tensors and plain values is refused: such a pickle can run code.
        new_head: Name of the layer that makes the outputs, such as ``fc``, where these are others than those of the
            file: it keeps the weights that it has, and what the file has for it is left out.

    Raises:
        RequestError: The file cannot be read, or does not fit; it names the first weight that does not, and the one
            that is most like it.
    """
    own = network.state_dict()
    if new_head and not any(map(in_layer(new_head), own)):
        layers = [name for name, layer in network.named_modules() if any(True for _ in layer.parameters(False))]
        raise RequestError(
            f"{type(network).__name__} has no layer {new_head!r} with weights{did_you_mean(new_head, layers)}; give "
            "the name of the one that makes its outputs"
        )
    given = read_weights(file)
    if new_head:
        own, given = (leave_out(new_head, each) for each in (own, given))
    if problem := misfit(own, given):
        raise RequestError(f"{file} does not fit {type(network).__name__}: {problem}")
    network.load_state_dict(dict(given), strict=not new_head)
    return network


def in_layer(layer: str) -> Callable[[str], bool]:
    """Whether a weight, by its name, belongs to ``layer``."""
    return lambda name: name.startswith(f"{layer}.")


def leave_out(layer: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``weights`` without those of ``layer``."""
    return {name: tensor for name, tensor in weights.items() if not in_layer(layer)(name)}


def read_weights(file: str | Path) -> dict[str, Tensor]:
    """The weights in a file by name, as `load_weights` takes them.

    Raises:
        RequestError: It cannot be read, or holds none.
    """
    path = Path(file)
    if path.suffix == ".safetensors":
        try:
            return dict(load_file(path))
        except (OSError, SafetensorError) as error:
            raise RequestError(f"{file} cannot be read as safetensors ({error}); write it with save_file") from error
    return _without_wrappers(_weights_in(path, _unpickled(path)))


def misfit(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """The first thing that keeps ``given`` from being the weights of a network with ``own``; empty where they fit."""
    odd = sorted(set(given) - set(own))
    for name, tensor in own.items():
        if name not in given:
            return f"it has no {name}{_most_like(name, odd)}"
        if given[name].shape != tensor.shape:
            return f"{name} is {tuple(given[name].shape)} where the model has {tuple(tensor.shape)}"
    return f"the model has no {odd[0]}{_most_like(odd[0], own)}" if odd else ""


def _most_like(name: str, others: Iterable[str]) -> str:
    """The most similar of ``others``, as it stands in a sentence; empty where none is similar."""
    near = get_close_matches(name, [*others], n=1)
    return f", and {near[0]} is most like it" if near else ""


def _unpickled(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise RequestError(
            f"{path} holds more than tensors and plain values, and such a file can run code; save "
            "model.state_dict() alone"
        ) from error
    except Exception as error:  # what torch raises on files that it did not write
        raise RequestError(
            f"{path} cannot be read as weights ({in_one_line(error, 160)}); write it with "
            "torch.save(model.state_dict(), FILE), or safetensors.torch.save_file"
        ) from error


def _weights_in(path: Path, found: Any) -> dict[str, Tensor]:
    inside = [found, *(found[key] for key in HOLDING if isinstance(found, Mapping) and key in found)]
    for each in inside:
        if isinstance(each, Mapping) and each and all(isinstance(value, Tensor) for value in each.values()):
            return {str(name): value for name, value in each.items()}
    keys = f"the keys {', '.join(map(str, [*found][:6]))}" if isinstance(found, Mapping) else type(found).__name__
    raise RequestError(f"{path} holds {keys} and no weights; save model.state_dict()")


def _without_wrappers(given: dict[str, Tensor]) -> dict[str, Tensor]:
    for wrapper in WRAPPERS:
        if given and all(name.startswith(wrapper) for name in given):
            given = {name.removeprefix(wrapper): value for name, value in given.items()}
    return given
