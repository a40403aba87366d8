"""Train one network as its plan says, with bf16 autocast where the machine has it, or by the person's own loop."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from runners.machine.accelerator import wait_for
from runners.models.called_layers import example_batch
from runners.processes.fresh_process import report_progress
from runners.runner import StageFailed
from runners.training.averaging import WeightAverage
from runners.training.batches import batches, batches_in_epoch
from runners.training.distillation import Distillation
from runners.training.number_format import in_sound_format
from runners.training.optimiser import make_optimiser, optimiser_state, without_decay
from runners.training.own_loop import train_by_own_loop
from runners.training.schedule import make_schedule
from runners.training.settings import Level
from runners.training.strategies import strategy_of
from runners.training.strategy import Training, spare_network
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
) -> tuple[nn.Module, dict[str, Tensor]]:
    """Train ``network`` on the training split, on the device where its weights are; done when it returns.

    Every epoch draws its order, its augmentation and what the network itself draws from the seed and its number, so
    that a training which goes on from an earlier one gives the weights of a training in one go.

    Args:
        network: Takes ``(n, *input_shape)`` for each input; it is changed.
        workload: Gives data, loss and augmentation, or a loop of its own.
        level: How to train, and the epochs to train for.
        teacher: What the network learns from too, where the plan says so; on the same device.
        state: What this function returned for the epochs before those of ``level``.
        rank: The number of this worker, from 0. Where the plan has more than one, all are in one process group and
            call this together.

    Returns:
        The trained network, which is ``network`` unless workers share its weights and is whole on the first worker;
        and all that the next epochs go on with beside the weights: what the optimiser keeps, the weights of
        projections, and the weights themselves where the network has their average.

    Raises:
        StageFailed: The loss became NaN or infinite, or the person's own loop failed.
    """
    if workload.fit is not None:
        return network, train_by_own_loop(network, workload, level, teacher, state or {})
    plan, steps = level.settings.plan, batches_in_epoch(workload, level.settings.plan)
    done, kept, strategy = level.epochs.start * steps, state or {}, strategy_of(level.settings.plan)
    device = next(network.parameters()).device
    example = partial(_example, workload, device)
    level = in_sound_format(level, network, example)
    learning = Distillation(network, teacher, plan, example, kept, level.seed).train()
    if isinstance(workload.loss, nn.Module):
        workload.loss.to(device)
    training = Training(learning, workload, level, rank, plan.workers)
    spare = spare_network(strategy, training)
    with trained_part(network, plan, example) as rates, learning.reading():
        undecayed = without_decay(learning)
        share = strategy.share(training)
        by_name = {f"network.{name}": rate for name, rate in rates.items()}
        optimiser = make_optimiser(share, plan, kept, by_name, undecayed)
        schedule = make_schedule(optimiser, plan, plan.epochs * steps, done)
        average = WeightAverage(share, plan.ema, kept, done) if plan.ema else None
        distils = teacher is not None and plan.distils
        for batch in batches(workload, level, share.data_rank, distils=distils):
            optimiser.zero_grad()
            loss = share.add_gradients(batch)
            if plan.gradient_clipping:
                share.clip(plan.gradient_clipping)
            optimiser.step()
            schedule.step()
            if average:
                average.update()
            report_progress()
    network.eval()
    wait_for(device)
    if not torch.isfinite(loss):
        raise StageFailed("training diverged: the loss is not a finite number; lower the learning rate")
    after = {
        **optimiser_state(share, optimiser),
        **learning.state(),
        **(average.exchange() if average else {}),
    }
    return share.trained(spare), share.collect(after)


def _example(workload: Workload, device: torch.device) -> tuple[Tensor, ...]:
    return example_batch(workload.example_inputs.arrays, device)
