"""Train one network: one-cycle SGD, bf16 autocast where the machine has it, soft targets where a teacher is given."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.lr_scheduler import OneCycleLR

from runners.machine.accelerator import wait_for
from runners.processes.fresh_process import report_progress
from runners.runner import StageFailed
from runners.training.loss import training_loss
from runners.training.settings import Level
from runners.workload import Workload


def train(
    network: nn.Module,
    workload: Workload,
    level: Level,
    *,
    teacher: nn.Module | None = None,
    momentum: Mapping[str, Tensor] | None = None,
    rank: int = 0,
    workers: int = 1,
) -> dict[str, Tensor]:
    """Train ``network`` in place on the training split, on the device where its weights are; done when it returns.

    Every epoch draws its order, its augmentation and what the network itself draws from the seed and its number, so
    that a training which goes on from an earlier one gives the weights of a training in one go.

    Args:
        network: Takes ``(n, *input_shape)``; with ``workers`` it is wrapped so that gradients are averaged.
        workload: Gives data, loss and augmentation.
        level: How to train, and the epochs to train for.
        teacher: Gives the soft targets where the plan's ``distillation_weight`` is above 0; on the same device.
        momentum: What this function returned for the epochs before those of ``level``.
        rank: This worker's share of every batch.
        workers: Number of workers.

    Returns:
        The momentum of every trained parameter by its name, on the same device.

    Raises:
        StageFailed: The loss became NaN or infinite.
    """
    own = network.module if isinstance(network, nn.parallel.DistributedDataParallel) else network
    optimiser, schedule = _optimiser(own, level, _steps(workload, level), momentum or {})
    device = next(own.parameters()).device
    distils = teacher is not None and level.settings.plan.distillation_weight > 0
    if isinstance(workload.loss, nn.Module):
        workload.loss.to(device)
    network.train()
    for inputs, targets in _batches(workload, level, rank):
        mine = slice(rank, None, workers)
        images = inputs[mine].contiguous(memory_format=_layout(inputs)).to(device)
        with _precision(device, level.settings.autocast):
            outputs = network(images)
            soft = teacher(images) if teacher is not None and distils else None
        loss = training_loss(workload, level.settings.plan, outputs.float(), targets[mine].to(device), soft)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        report_progress()
    network.eval()
    wait_for(device)
    if not torch.isfinite(loss):
        raise StageFailed("training diverged: the loss is not a finite number; lower the learning rate")
    return {name: optimiser.state[p]["momentum_buffer"] for name, p in own.named_parameters() if optimiser.state[p]}


def _optimiser(network: nn.Module, level: Level, steps: int, momentum: Mapping[str, Tensor]) -> tuple[SGD, OneCycleLR]:
    """Both as they are before the first epoch of ``level``, with ``steps`` batches in an epoch."""
    plan = level.settings.plan
    optimiser = SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=plan.weight_decay)
    for name, parameter in network.named_parameters():
        if name in momentum:
            optimiser.state[parameter]["momentum_buffer"] = torch.empty_like(parameter).copy_(momentum[name]).detach()
    total, done = plan.epochs * steps, level.epochs.start * steps
    schedule = OneCycleLR(optimiser, plan.learning_rate, total_steps=total)
    if done:
        # The first schedule has put the bounds of the cycle into the optimiser, which a later start asks for.
        schedule = OneCycleLR(optimiser, plan.learning_rate, total_steps=total, last_epoch=done - 1)
    return optimiser, schedule


def _precision(device: torch.device, autocast: str) -> AbstractContextManager[Any]:
    return torch.autocast(device.type, torch.bfloat16) if autocast == "bf16" else nullcontext()


def _batches(workload: Workload, level: Level, rank: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The augmented batches of all epochs of ``level``, in their order, on the processor."""
    split, size = workload.splits["train"], level.settings.plan.batch_size
    generator = torch.Generator()
    for epoch in level.epochs:
        random = np.random.default_rng((level.seed, epoch))
        shuffled, drawn = random.permutation(len(split)), int(random.integers(2**62))
        generator.manual_seed(drawn)
        # What the network draws, such as dropout, comes from torch's own generator and is each worker's own.
        torch.manual_seed(drawn + rank)
        # A last batch of one would break batch normalisation, so the remainder of an epoch waits for the next one.
        for first in range(0, _steps(workload, level) * size, size):
            inputs, targets = map(_tensor, split.batch(shuffled[first : first + size]))
            yield workload.augment(inputs, generator) if workload.augment else inputs, targets


def _steps(workload: Workload, level: Level) -> int:
    """Number of batches in an epoch."""
    return max(1, len(workload.splits["train"]) // level.settings.plan.batch_size)


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))


def _layout(inputs: Tensor) -> torch.memory_format:
    return torch.channels_last if inputs.dim() == 4 else torch.contiguous_format
