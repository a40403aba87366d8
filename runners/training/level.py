"""Train one level from the files that the level before left, and leave those that the next one needs."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from runners.lowering.weights import load_network, save_network
from runners.machine.accelerator import torch_device
from runners.runner import StageFailed
from runners.training.loop import train
from runners.training.settings import Level, LevelFolders
from runners.training.soft_targets import read_soft_targets
from runners.training.strategies import strategy_of
from runners.workload import Workload
from spaces.errors import in_one_line

TRAINING_STATE = "training_state.safetensors"
"""What a level leaves to the next one beside the weights; all else follows from the seed and the epoch."""


@dataclass(frozen=True)
class TrainedLevel:
    """How the training of a level went.

    Attributes:
        seconds: The seconds spent on training: without loading, writing and the start of processes.
        losses: The mean loss of each epoch, by the number of epochs trained with it.
    """

    seconds: float
    losses: Mapping[int, float]


def train_level(workload: Workload, level: Level, folders: LevelFolders, *, rank: int = 0) -> TrainedLevel:
    """Train one level; the first worker writes the network, and the state of the training where another follows.

    Levels one after the other give the weights that training in one go gives. It trains on the accelerator of this
    worker where there is one; what is written holds nothing of that.

    Args:
        workload: Gives the network, data, loss and augmentation.
        level: How to train, and the epochs to train for.
        folders: Where to read and write.
        rank: The number of this worker. Where the plan has several processes, they are in one process group of
            ``torch.distributed`` and call this together.

    Raises:
        StageFailed: The loss became NaN or infinite, or the files of the level before cannot be read.
    """
    device = torch_device(rank)
    network = load_network(workload.network, folders.parent).to(memory_format=torch.channels_last).to(device)
    teacher = (
        load_network(workload.network, folders.teacher).requires_grad_(False).to(device) if folders.teacher else None
    )
    soft_targets = read_soft_targets(folders.soft_targets) if folders.soft_targets else None
    before = _read_state(folders.parent) if level.epochs.start else {}
    _, _ = workload.splits, strategy_of(level.settings.plan)  # loaded and imported before the clock starts
    begin = time.perf_counter()
    trained = train(network, workload, level, teacher=teacher, soft_targets=soft_targets, state=before, rank=rank)
    seconds = time.perf_counter() - begin
    if rank == 0:
        save_network(trained.network.eval(), folders.result)
        if level.epochs.stop < level.settings.plan.epochs:
            _write_state(trained.state, folders.result)
    return TrainedLevel(seconds, trained.losses)


def _write_state(state: Mapping[str, Tensor], folder: Path) -> None:
    # Copies, because safetensors refuses anything but the plain layout.
    plain = {name: tensor.cpu().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()}
    save_file(plain, folder / TRAINING_STATE)


def _read_state(folder: Path) -> dict[str, Tensor]:
    try:
        return load_file(folder / TRAINING_STATE)
    except (OSError, SafetensorError) as error:
        raise StageFailed(f"the state of the training in {folder} cannot be read ({in_one_line(error)})") from error
