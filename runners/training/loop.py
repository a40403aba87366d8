"""Train one network as its plan says, with bf16 autocast where the machine has it, or by the person's own loop."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from runners.machine.accelerator import wait_for
from runners.processes.fresh_process import report_progress
from runners.runner import StageFailed
from runners.training.averaging import WeightAverage
from runners.training.batches import Batch, batches, batches_in_epoch
from runners.training.loss import training_loss
from runners.training.optimiser import make_optimiser, optimiser_state
from runners.training.own_loop import train_by_own_loop
from runners.training.schedule import make_schedule
from runners.training.settings import Level
from runners.workload import Workload


def train(
    network: nn.Module,
    workload: Workload,
    level: Level,
    *,
    teacher: nn.Module | None = None,
    state: Mapping[str, Tensor] | None = None,
    rank: int = 0,
    workers: int = 1,
) -> dict[str, Tensor]:
    """Train ``network`` in place on the training split, on the device where its weights are; done when it returns.

    Every epoch draws its order, its augmentation and what the network itself draws from the seed and its number, so
    that a training which goes on from an earlier one gives the weights of a training in one go.

    Args:
        network: Takes ``(n, *input_shape)`` for each input; with ``workers`` it is wrapped so that gradients are
            averaged.
        workload: Gives data, loss and augmentation, or a loop of its own.
        level: How to train, and the epochs to train for.
        teacher: Gives the soft targets where the plan's ``distillation_weight`` is above 0; on the same device.
        state: What this function returned for the epochs before those of ``level``.
        rank: This worker's share of every batch.
        workers: Number of workers.

    Returns:
        All that the next epochs go on with beside the weights: what the optimiser keeps, and the weights themselves
        where the network has their average.

    Raises:
        StageFailed: The loss became NaN or infinite, or the person's own loop failed.
    """
    if workload.fit is not None:
        return train_by_own_loop(network, workload, level, teacher, state or {})
    own = network.module if isinstance(network, nn.parallel.DistributedDataParallel) else network
    plan, steps = level.settings.plan, batches_in_epoch(workload, level.settings.plan)
    done, kept = level.epochs.start * steps, state or {}
    optimiser = make_optimiser(own, plan, kept)
    schedule = make_schedule(optimiser, plan, plan.epochs * steps, done)
    average = WeightAverage(own, plan.ema, kept, done) if plan.ema else None
    device = next(own.parameters()).device
    if isinstance(workload.loss, nn.Module):
        workload.loss.to(device)
    network.train()
    for batch in batches(workload, level, rank, workers):
        optimiser.zero_grad()
        loss = _add_gradients(network, workload, level, teacher, batch.to(device))
        if plan.gradient_clipping:
            clip_grad_norm_(own.parameters(), plan.gradient_clipping)
        optimiser.step()
        schedule.step()
        if average:
            average.update()
        report_progress()
    network.eval()
    wait_for(device)
    if not torch.isfinite(loss):
        raise StageFailed("training diverged: the loss is not a finite number; lower the learning rate")
    return {**optimiser_state(own, optimiser), **(average.exchange() if average else {})}


def _add_gradients(
    network: nn.Module, workload: Workload, level: Level, teacher: nn.Module | None, batch: Batch
) -> Tensor:
    """Add the gradients of the mean loss of ``batch`` to those of ``network``, a part after the other.

    Workers average their gradients once, with the last part. Returns the loss of that.
    """
    plan = level.settings.plan
    distils = teacher is not None and plan.distillation_weight > 0
    parts = batch.parts(plan.accumulation)
    for part in parts:
        with _kept_apart(network) if part is not parts[-1] else nullcontext():
            with _precision(part.targets.device, level.settings.autocast):
                outputs = network(*part.inputs)
                soft = teacher(*part.inputs) if teacher is not None and distils else None
            loss = training_loss(workload, plan, outputs.float(), part, soft)
            (loss * (len(part) / len(batch))).backward()  # type: ignore[no-untyped-call]
    return loss


def _kept_apart(network: nn.Module) -> AbstractContextManager[Any]:
    """Where each worker keeps its gradients for itself."""
    return network.no_sync() if isinstance(network, nn.parallel.DistributedDataParallel) else nullcontext()


def _precision(device: torch.device, autocast: str) -> AbstractContextManager[Any]:
    return torch.autocast(device.type, torch.bfloat16) if autocast == "bf16" else nullcontext()
