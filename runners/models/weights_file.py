"""Trained weights out of a file, which can run no code."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from spaces.errors import RequestError, in_one_line

HOLDING = ("state_dict", "model_state_dict", "model", "weights")
"""Keys under which a checkpoint of a training holds the weights."""
WRAPPERS = ("module.", "_orig_mod.")
"""What `torch.nn.DataParallel` and `torch.compile` put in front of the names of weights."""

Network = TypeVar("Network", bound=nn.Module)


def load_weights(network: Network, file: str | Path) -> Network:
    """``network`` itself, with the weights of a file.

    Args:
        network: Its class decides the names and shapes of the weights.
        file: Safetensors, or what `torch.save` wrote of ``network.state_dict()``, alone or in a checkpoint. A file that
            holds anything but tensors and plain values is refused: such a pickle can run code.

    Raises:
        RequestError: The file cannot be read, or does not fit; it names the first weight that does not.
    """
    given = read_weights(file)
    if problem := misfit(network.state_dict(), given):
        raise RequestError(f"{file} does not fit {type(network).__name__}: {problem}")
    network.load_state_dict(dict(given))
    return network


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
    for name, tensor in own.items():
        if name not in given:
            return f"it has no {name}"
        if given[name].shape != tensor.shape:
            return f"{name} is {tuple(given[name].shape)} where the model has {tuple(tensor.shape)}"
    odd = sorted(set(given) - set(own))
    return f"the model has no {odd[0]}" if odd else ""


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
