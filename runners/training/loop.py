"""Train one network as its plan says, with bf16 autocast where the machine has it, or by the person's own loop."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from runners.machine.accelerator import wait_for
from runners.processes.progress import report_progress
from runners.runner import StageFailed
from runners.training.batches import batches, batches_in_epoch
from runners.training.epoch_losses import EpochLosses
from runners.training.own_loop import train_by_own_loop
from runners.training.settings import Level
from runners.training.soft_targets import with_soft_targets
from runners.training.steps import prepared_steps
from runners.workload import Workload


@dataclass(frozen=True)
class TrainingResult:
    """What a training gives.

    Attributes:
        network: The trained network, which is the given one unless workers share its weights, and is whole on the first
            worker.
        state: All that the next epochs go on with beside the weights: what the optimiser keeps, the weights of
            projections, and the weights themselves where the network has their average.
        losses: The mean loss that was minimised in each epoch, by the number of epochs trained with it; empty where a
            person's own loop trained.
    """

    network: nn.Module
    state: dict[str, Tensor]
    losses: dict[int, float] = field(default_factory=dict)


def train(
    network: nn.Module,
    workload: Workload,
    level: Level,
    *,
    teacher: nn.Module | None = None,
    soft_targets: Tensor | None = None,
    state: Mapping[str, Tensor] | None = None,
    rank: int = 0,
) -> TrainingResult:
    """Train ``network`` on the training split, on the device where its weights are; done when it returns.

    Every epoch draws its order, its augmentation and what the network itself draws from the seed and its number, so
    that a training which goes on from an earlier one gives the weights of a training in one go.

    Args:
        network: Takes ``(n, *input_shape)`` for each input; it is changed.
        workload: Gives data, loss and augmentation, or a loop of its own.
        level: How to train, and the epochs to train for.
        teacher: What the network learns from too, where the plan says so; on the same device.
        soft_targets: What the teacher gives for the batches (`runners.training.soft_targets`); then there need be no
            ``teacher``.
        state: The state that this function gave for the epochs before those of ``level``.
        rank: The number of this worker, from 0. Where the plan has more than one, all are in one process group and
            call this together.

    Raises:
        StageFailed: The loss became NaN or infinite, or the person's own loop failed.
    """
    if workload.fit is not None:
        return TrainingResult(network, train_by_own_loop(network, workload, level, teacher, state or {}))
    plan, device = level.settings.plan, next(network.parameters()).device
    with prepared_steps(network, workload, level, teacher, state, rank) as steps:
        distils = teacher is not None and plan.distils
        given = batches(workload, level, steps.share.data_rank, distils=distils)
        losses = EpochLosses(level.epochs, batches_in_epoch(workload, plan))
        for batch in given if soft_targets is None else with_soft_targets(given, soft_targets):
            loss = steps.take(batch)
            losses.add(loss)
            report_progress()
    wait_for(device)
    if not torch.isfinite(loss):
        raise StageFailed("training diverged: the loss is not a finite number; lower the learning rate")
    after = steps.state()
    return TrainingResult(steps.share.trained(steps.spare), steps.share.collect(after), losses.means(steps.share))
