"""Train one network as its plan says, with bf16 autocast where the machine has it, or by the person's own loop."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from runners.machine.accelerator import wait_for
from runners.models.called_layers import example_batch
from runners.processes.fresh_process import report_progress
from runners.runner import StageFailed
from runners.training.averaging import WeightAverage
from runners.training.batches import Batch, batches, batches_in_epoch
from runners.training.distillation import Distillation
from runners.training.layer_distance import layer_distance
from runners.training.loss import training_loss
from runners.training.optimiser import make_optimiser, optimiser_state
from runners.training.own_loop import train_by_own_loop
from runners.training.schedule import make_schedule
from runners.training.settings import Level
from runners.training.trained_part import trained_part
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
        network: Takes ``(n, *input_shape)`` for each input.
        workload: Gives data, loss and augmentation, or a loop of its own.
        level: How to train, and the epochs to train for.
        teacher: What the network learns from too, where the plan says so; on the same device.
        state: What this function returned for the epochs before those of ``level``.
        rank: This worker's share of every batch.
        workers: Number of workers; where there are more, they are in one process group and average their gradients.

    Returns:
        All that the next epochs go on with beside the weights: what the optimiser keeps, the weights of projections,
        and the weights themselves where the network has their average.

    Raises:
        StageFailed: The loss became NaN or infinite, or the person's own loop failed.
    """
    if workload.fit is not None:
        return train_by_own_loop(network, workload, level, teacher, state or {})
    plan, steps = level.settings.plan, batches_in_epoch(workload, level.settings.plan)
    done, kept = level.epochs.start * steps, state or {}
    device = next(network.parameters()).device
    example = partial(_example, workload, device)
    learning = Distillation(network, teacher, plan, example, kept, level.seed).train()
    if isinstance(workload.loss, nn.Module):
        workload.loss.to(device)
    with trained_part(network, plan, example) as rates, learning.reading():
        optimiser = make_optimiser(learning, plan, kept, {f"network.{name}": rate for name, rate in rates.items()})
        schedule = make_schedule(optimiser, plan, plan.epochs * steps, done)
        average = WeightAverage(network, plan.ema, kept, done) if plan.ema else None
        together: nn.Module = nn.parallel.DistributedDataParallel(learning) if workers > 1 else learning
        distils = teacher is not None and plan.distils
        for batch in batches(workload, level, rank, workers, distils=distils):
            optimiser.zero_grad()
            loss = _add_gradients(together, learning, workload, level, batch.to(device))
            if plan.gradient_clipping:
                clip_grad_norm_(learning.parameters(), plan.gradient_clipping)
            optimiser.step()
            schedule.step()
            if average:
                average.update()
            report_progress()
    network.eval()
    wait_for(device)
    if not torch.isfinite(loss):
        raise StageFailed("training diverged: the loss is not a finite number; lower the learning rate")
    return {
        **optimiser_state(learning, optimiser),
        **learning.state(),
        **(average.exchange() if average else {}),
    }


def _add_gradients(
    together: nn.Module, learning: Distillation, workload: Workload, level: Level, batch: Batch
) -> Tensor:
    """Add the gradients of the mean loss of ``batch`` to those of the network, a part after the other.

    Workers average their gradients once, with the last part. Returns the loss of that.

    Args:
        together: ``learning``, wrapped where workers average the gradients.
        learning: The network and its teacher.
        workload: Gives the loss.
        level: How to train.
        batch: On the device of the network.
    """
    plan = level.settings.plan
    parts = batch.parts(plan.accumulation)
    for part in parts:
        with _kept_apart(together) if part is not parts[-1] else nullcontext():
            with _precision(part.targets.device, level.settings.autocast):
                outputs, own_layers = together(*part.all_inputs)
                soft, teaching_layers = learning.teacher_outputs(part.all_inputs)
            loss = training_loss(workload, plan, outputs.float(), part, soft)
            if teaching_layers:
                distance = layer_distance(plan.distillation_method, own_layers, teaching_layers)
                loss = loss + plan.distillation_layer_weight * distance
            (loss * (len(part) / len(batch))).backward()  # type: ignore[no-untyped-call]
    return loss


def _example(workload: Workload, device: torch.device) -> tuple[Tensor, ...]:
    return example_batch(workload.example_inputs.arrays, device)


def _kept_apart(network: nn.Module) -> AbstractContextManager[Any]:
    """Where each worker keeps its gradients for itself."""
    return network.no_sync() if isinstance(network, nn.parallel.DistributedDataParallel) else nullcontext()


def _precision(device: torch.device, autocast: str) -> AbstractContextManager[Any]:
    return torch.autocast(device.type, torch.bfloat16) if autocast == "bf16" else nullcontext()
