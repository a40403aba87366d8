"""Networks on disk: weights as safetensors beside what pruning and other techniques changed; nothing is pickled."""

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from runners.lowering.recipe import rebuilt, recipe_of
from runners.runner import StageFailed
from spaces.errors import in_one_line
from spaces.network_changes.parametrisations import is_parametrised, remove_parametrisations

WEIGHTS = "weights.safetensors"
ARCHITECTURE = "architecture.json"


def weights_digest(network: nn.Module) -> str:
    """SHA-256 over the names, shapes, types and values of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(raw.numpy().tobytes())
    return digest.hexdigest()


def save_network(module: nn.Module, folder: Path) -> None:
    """Write ``weights.safetensors`` and ``architecture.json`` into ``folder``.

    Every parameter and buffer is kept, those that ``state_dict`` leaves out too, since pruning changes them as
    well. A tensor that several layers share is written once. Which parameters are frozen is kept too, whether
    parametrisations such as weight norm were removed, and the recipe by which other layers were put in.
    """
    unique, architecture = _parts(module)
    save_file(unique, folder / WEIGHTS)
    (folder / ARCHITECTURE).write_text(json.dumps(architecture, indent=1, sort_keys=True), encoding="utf-8")


def load_network(build: Callable[[], Any], folder: Path) -> nn.Module:
    """The network that `save_network` wrote, in eval mode, on the CPU.

    Args:
        build: Makes the network as it was before anything in it was removed; its weights are replaced.
        folder: Where the two files lie.

    Raises:
        StageFailed: The files cannot be read, or hold another network than ``build`` makes.
    """
    return _restored(build, *_read(folder))


def copy_network(module: nn.Module, build: Callable[[], Any] | None) -> nn.Module:
    """A copy of ``module``, which ``build`` made before anything in it was removed; in eval mode, on the CPU.

    It is made as `load_network` makes it, because ``copy.deepcopy`` refuses networks that keep computed tensors; that
    is used only where ``build`` is None.

    Raises:
        StageFailed: ``build`` makes another network.
    """
    return _restored(build, *_parts(module)) if build else copy.deepcopy(module).eval()


def _parts(module: nn.Module) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of ``module`` by name, each once, and what else `_restored` needs, in plain JSON types."""
    first_name: dict[int, str] = {}
    shared: dict[str, str] = {}
    unique: dict[str, Tensor] = {}
    for name, tensor in _tensors(module):
        kept = first_name.setdefault(id(tensor), name)
        if kept == name:
            # A copy, because safetensors refuses views of one storage and anything but the plain layout.
            unique[name] = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        else:
            shared[name] = kept
    return unique, {
        "layers": {name: _sizes(layer) for name, layer in module.named_modules()},
        "shared": shared,
        "frozen": [name for name, parameter in module.named_parameters() if not parameter.requires_grad],
        "plain": not is_parametrised(module),
        "recipe": list(recipe_of(module)),
    }


def _restored(build: Callable[[], Any], saved: Mapping[str, Tensor], architecture: Mapping[str, Any]) -> nn.Module:
    module = rebuilt(build(), architecture["recipe"])
    if architecture["plain"]:
        remove_parametrisations(module)
    _set_sizes(module, architecture["layers"])
    names = [name for name, _ in _tensors(module)]
    _require_same(names, {*saved, *architecture["shared"]}, "tensor")
    _set_tensors(module, saved, architecture["shared"])
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in architecture["frozen"])
    return module.eval()


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def _sizes(layer: nn.Module) -> dict[str, Any]:
    """The whole numbers, and tuples of them, that a layer carries: its channels, features, groups, heads."""
    public = {name: value for name, value in vars(layer).items() if not name.startswith("_")}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in public.items() if _is_size(v)}


def _is_size(value: Any) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return bool(parts) and all(isinstance(part, int) and not isinstance(part, bool) for part in parts)


def _set_sizes(module: nn.Module, layers: Mapping[str, Mapping[str, Any]]) -> None:
    present = dict(module.named_modules())
    _require_same(present, layers, "layer")
    for name, sizes in layers.items():
        for attribute, value in sizes.items():
            setattr(present[name], attribute, tuple(value) if isinstance(value, list) else value)


def _set_tensors(module: nn.Module, saved: Mapping[str, Tensor], shared: Mapping[str, str]) -> None:
    """Put the saved tensors in place of the module's own; what was shared when saved is shared again."""
    replaced: dict[str, Tensor] = {}
    for name, old in list(_tensors(module)):
        kept = shared.get(name, name)
        if kept not in replaced:
            replaced[kept] = _like(old, saved[kept], name)
        layer, _, attribute = name.rpartition(".")
        owner = module.get_submodule(layer)
        if isinstance(owner, torch.jit.ScriptModule):  # which keeps its own tensors
            with torch.no_grad():
                old.copy_(saved[kept])
            continue
        table = owner._parameters if isinstance(old, nn.Parameter) else owner._buffers
        table[attribute] = replaced[kept]  # type: ignore[assignment]


def _like(old: Tensor, new: Tensor, name: str) -> Tensor:
    if old.dim() != new.dim():
        raise StageFailed(f"the saved {name} has {new.dim()} dimensions and the workload's network {old.dim()}")
    channels_last = old.dim() == 4 and not old.is_contiguous() and old.is_contiguous(memory_format=torch.channels_last)
    laid_out = new.contiguous(memory_format=torch.channels_last) if channels_last else new
    return nn.Parameter(laid_out, requires_grad=old.requires_grad) if isinstance(old, nn.Parameter) else laid_out


def _require_same(present: Any, saved: Any, what: str) -> None:
    absent, unknown = set(present) - set(saved), set(saved) - set(present)
    if absent or unknown:
        where = f"{min(absent)!r} is missing from the file" if absent else f"{min(unknown)!r} is not in the network"
        raise StageFailed(
            f"the saved weights do not fit the workload's network: {what} {where}; "
            "the model was changed after they were written"
        )


def _read(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        architecture = json.loads((folder / ARCHITECTURE).read_text(encoding="utf-8"))
        saved = load_file(folder / WEIGHTS)
        parts = {"layers": dict, "shared": dict, "frozen": frozenset, "plain": bool, "recipe": tuple}
        return saved, {name: kind(architecture[name]) for name, kind in parts.items()}
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise StageFailed(f"the weights in {folder} cannot be read ({in_one_line(error)})") from error
