"""Train one network: one-cycle SGD, bf16 autocast where the machine has it, soft targets where a teacher is given."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from runners.runner import StageFailed
from runners.workload import Split, Workload


def train(
    network: nn.Module,
    workload: Workload,
    settings: Mapping[str, Any],
    seed: int,
    *,
    teacher: nn.Module | None = None,
    rank: int = 0,
    workers: int = 1,
) -> None:
    """Train ``network`` in place on the training split.

    Args:
        network: Takes ``(n, *input_shape)``; with ``workers`` it is wrapped so that gradients are averaged.
        workload: Gives data, loss and augmentation.
        settings: The fields of `TrainingPlan` and ``autocast``, ``bf16`` or ``fp32``.
        seed: Decides order and augmentation, the same in every worker.
        teacher: Gives the soft targets where ``distillation_weight`` is above 0.
        rank: This worker's share of every batch.
        workers: Number of workers.

    Raises:
        StageFailed: The loss became NaN or infinite.
    """
    split = workload.splits["train"]
    total = max(1, settings["epochs"] * _batches(len(split), settings["batch_size"]))
    optimiser = torch.optim.SGD(
        network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=settings["weight_decay"]
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings["learning_rate"], total_steps=total)
    generator = torch.Generator().manual_seed(seed)
    distil = settings["distillation_weight"] if teacher is not None else 0.0
    network.train()
    for inputs, targets in _epochs(split, settings, seed):
        inputs = workload.augment(inputs, generator) if workload.augment else inputs
        mine = slice(rank, None, workers)
        images, wanted = inputs[mine].contiguous(memory_format=_layout(inputs)), targets[mine]
        with torch.autocast("cpu", torch.bfloat16, enabled=settings["autocast"] == "bf16"):
            outputs = network(images)
            soft = teacher(images) if teacher is not None and distil else None
        loss = _loss(workload, outputs.float(), wanted, soft, distil, settings["distillation_temperature"])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    network.eval()
    if not torch.isfinite(loss):
        raise StageFailed("training diverged: the loss is not a finite number; lower the learning rate")


def _loss(
    workload: Workload, outputs: Tensor, targets: Tensor, soft: Tensor | None, weight: float, temperature: float
) -> Tensor:
    hard: Tensor = (workload.loss or functional.cross_entropy)(outputs, targets)
    if soft is None:
        return hard
    if workload.loss is not None:
        return (1 - weight) * hard + weight * functional.mse_loss(outputs, soft.float())
    matched = functional.kl_div(
        functional.log_softmax(outputs / temperature, dim=1),
        functional.log_softmax(soft.float() / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    # The gradients of soft targets shrink with the square of the temperature (Hinton et al., section 2).
    return (1 - weight) * hard + weight * temperature**2 * matched


def _epochs(split: Split, settings: Mapping[str, Any], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    order, size = np.random.default_rng(seed), settings["batch_size"]
    for _ in range(settings["epochs"]):
        shuffled = order.permutation(len(split))
        # A last batch of one would break batch normalisation, so the remainder of an epoch waits for the next one.
        for first in range(0, _batches(len(split), size) * size, size):
            inputs, targets = split.batch(shuffled[first : first + size])
            yield torch.from_numpy(np.ascontiguousarray(inputs)), torch.from_numpy(np.ascontiguousarray(targets))


def _batches(examples: int, size: int) -> int:
    return max(1, examples // size)


def _layout(inputs: Tensor) -> torch.memory_format:
    return torch.channels_last if inputs.dim() == 4 else torch.contiguous_format
