"""One level of a training: from the epoch where the level before ended to that where this one ends."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from runners.lowering.weights import load_network, save_network
from runners.machine.accelerator import torch_device
from runners.runner import StageFailed
from runners.training.loop import train
from runners.workload import Workload
from spaces.errors import in_one_line

MOMENTUM = "momentum.safetensors"
"""What a level leaves to the next one beside the weights; all else follows from the seed and the epoch."""


def train_level(
    workload: Workload,
    parent: Path,
    teacher: Path | None,
    settings: Mapping[str, Any],
    seed: int,
    to: Path,
    *,
    rank: int = 0,
    workers: int = 1,
    wrap: Callable[[nn.Module], nn.Module] = lambda network: network,
) -> float:
    """Train the network in ``parent`` and let the first worker write it to ``to``, with its momentum if more follows.

    Levels one after the other give the weights that training in one go gives. It trains on the accelerator of this
    worker where there is one; what is written holds nothing of that.

    Args:
        workload: See `runners.training.loop.train`, as for ``settings``, ``seed``, ``rank`` and ``workers``.
        parent: Folder with the network's weights, and with its momentum where this is not the first level.
        teacher: Folder with the teacher's, or None without distillation.
        settings: See there.
        seed: See there.
        to: Where the result goes.
        rank: See there.
        workers: See there.
        wrap: Makes the network average its gradients over the workers.

    Returns:
        The seconds spent on training: without loading, writing and the start of processes.

    Raises:
        StageFailed: The loss became NaN or infinite, or the files of the level before cannot be read.
    """
    device = torch_device(rank)
    network = load_network(workload.model, parent).to(memory_format=torch.channels_last).to(device)
    guide = load_network(workload.model, teacher).eval().requires_grad_(False).to(device) if teacher else None
    before = _read_momentum(parent) if settings["from_epoch"] else {}
    pupil, _ = wrap(network), workload.splits  # made and loaded before the clock starts
    begin = time.perf_counter()
    momentum = train(pupil, workload, settings, seed, teacher=guide, rank=rank, workers=workers, momentum=before)
    seconds = time.perf_counter() - begin
    if rank == 0:
        save_network(network.eval(), to)
        if settings["to_epoch"] < settings["epochs"]:
            _write_momentum(momentum, to)
    return seconds


def _write_momentum(momentum: Mapping[str, Tensor], folder: Path) -> None:
    from safetensors.torch import save_file

    # Copies, because safetensors refuses anything but the plain layout.
    plain = {name: tensor.cpu().clone(memory_format=torch.contiguous_format) for name, tensor in momentum.items()}
    save_file(plain, folder / MOMENTUM)


def _read_momentum(folder: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(folder / MOMENTUM)
    except (OSError, SafetensorError) as error:
        raise StageFailed(f"the momentum in {folder} cannot be read ({in_one_line(error)})") from error
