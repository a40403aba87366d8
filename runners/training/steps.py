"""The steps of a training: a network with its share of the work, its optimiser and its schedule, batch by batch."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from torch import Tensor, device, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from runners.models.called_layers import example_batch
from runners.training.averaging import WeightAverage
from runners.training.batches import Batch, batches_in_epoch
from runners.training.distillation import Distillation
from runners.training.number_format import in_sound_format
from runners.training.optimiser import make_optimiser, optimiser_state, without_decay
from runners.training.schedule import make_schedule
from runners.training.settings import Level
from runners.training.strategies import strategy_of
from runners.training.strategy import Share, Training, spare_network
from runners.training.trained_part import trained_part
from runners.workload import Workload


@dataclass(frozen=True)
class Steps:
    """A training that is ready for its batches.

    Attributes:
        share: The share of this worker.
        optimiser: Updates the parameters of that share.
        schedule: Its learning rate.
        average: The moving average of the weights, where the plan has one.
        spare: A network for the trained weights, where workers share them.
    """

    share: Share
    optimiser: Optimizer
    schedule: LRScheduler
    average: WeightAverage | None
    spare: nn.Module | None

    def take(self, batch: Batch) -> Tensor:
        """One step on ``batch``, which is that of all workers; they take it together. Gives the loss."""
        self.optimiser.zero_grad()
        loss = self.share.add_gradients(batch)
        if largest := self.share.training.plan.gradient_clipping:
            self.share.clip(largest)
        self.optimiser.step()
        self.schedule.step()
        if self.average:
            self.average.update()
        return loss

    def state(self) -> dict[str, Tensor]:
        """All that later epochs go on with beside the weights. The network has their average from then on."""
        return {
            **optimiser_state(self.share, self.optimiser),
            **self.share.training.learning.state(),
            **(self.average.exchange() if self.average else {}),
        }


@contextmanager
def prepared_steps(
    network: nn.Module,
    workload: Workload,
    level: Level,
    teacher: nn.Module | None = None,
    state: Mapping[str, Tensor] | None = None,
    rank: int = 0,
) -> Iterator[Steps]:
    """The steps of a training; the arguments are those of `runners.training.loop.train`."""
    plan, steps, kept = level.settings.plan, batches_in_epoch(workload, level.settings.plan), state or {}
    done, where = level.epochs.start * steps, next(network.parameters()).device
    example = partial(_example, workload, where)
    level = in_sound_format(level, network, example)
    learning = Distillation(network, teacher, plan, example, kept, level.seed).train()
    if isinstance(workload.loss, nn.Module):
        workload.loss.to(where)
    training, strategy = Training(learning, workload, level, rank, plan.workers), strategy_of(plan)
    spare = spare_network(strategy, training)
    with trained_part(network, plan, example) as rates, learning.reading():
        undecayed = without_decay(learning)
        share = strategy.share(training)
        by_name = {f"network.{name}": rate for name, rate in rates.items()}
        optimiser = make_optimiser(share, plan, kept, by_name, undecayed)
        schedule = make_schedule(optimiser, plan, plan.epochs * steps, done)
        average = WeightAverage(share, plan.ema, kept, done) if plan.ema else None
        yield Steps(share, optimiser, schedule, average, spare)
    network.eval()


def _example(workload: Workload, where: device) -> tuple[Tensor, ...]:
    return example_batch(workload.example_inputs.arrays, where)
