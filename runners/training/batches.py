"""The batches of a training, in the order that the seed decides: shuffled, augmented, mixed, and cut into parts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from runners.inputs import augmented, read
from runners.training.settings import Level
from runners.workload import Workload
from spaces.plans import TrainingPlan


@dataclass(frozen=True)
class Batch:
    """Examples with their targets, on the processor.

    Attributes:
        inputs: One tensor ``(n, *input_shape)`` for each input of the network.
        targets: ``(n, ...)``.
        others: The targets of the examples that are mixed in, of the shape of ``targets``; None without mixup.
        share: Share of each example in its mixture.
    """

    inputs: tuple[Tensor, ...]
    targets: Tensor
    others: Tensor | None = None
    share: float = 1.0

    def __len__(self) -> int:
        return len(self.targets)

    def some(self, chosen: slice) -> "Batch":
        """The ``chosen`` examples of it."""
        others = None if self.others is None else self.others[chosen]
        return Batch(tuple(each[chosen] for each in self.inputs), self.targets[chosen], others, self.share)

    def to(self, device: torch.device) -> "Batch":
        """The same on ``device``, pictures in the layout that convolutions like."""
        inputs = tuple(each.contiguous(memory_format=_layout(each)).to(device) for each in self.inputs)
        others = None if self.others is None else self.others.to(device)
        return Batch(inputs, self.targets.to(device), others, self.share)

    def parts(self, number: int) -> list["Batch"]:
        """It in up to ``number`` parts of about the same size, one after the other."""
        size = -(-len(self) // number)
        return [self.some(slice(first, first + size)) for first in range(0, len(self), size)]


def batches(workload: Workload, level: Level, rank: int = 0, workers: int = 1) -> Iterator[Batch]:
    """The share of worker ``rank`` in every batch of the epochs of ``level``, in their order.

    Order, augmentation and mixing of an epoch follow from the seed and its number, the same in every worker; torch's own
    generator, from which the network draws what it drops, is each worker's own.
    """
    plan, split = level.settings.plan, workload.splits["train"]
    generator = torch.Generator()
    for epoch in level.epochs:
        random = np.random.default_rng((level.seed, epoch))
        shuffled, drawn = random.permutation(len(split)), int(random.integers(2**62))
        generator.manual_seed(drawn)
        torch.manual_seed(drawn + rank)
        # A last batch of one would break batch normalisation, so the remainder of an epoch waits for the next one.
        for first in range(0, batches_in_epoch(workload, plan) * plan.batch_size, plan.batch_size):
            batch = _read(workload, shuffled[first : first + plan.batch_size], generator)
            mixed = _mixed(batch, float(random.beta(plan.mixup, plan.mixup))) if plan.mixup else batch
            yield mixed.some(slice(rank, None, workers))


def batches_in_epoch(workload: Workload, plan: TrainingPlan) -> int:
    """How many whole batches the training split gives, and one where it is smaller than that."""
    return max(1, len(workload.splits["train"]) // plan.batch_size)


def _read(workload: Workload, indices: NDArray[np.int64], generator: torch.Generator) -> Batch:
    arrays, targets = read(workload.splits["train"], indices)
    inputs: tuple[Tensor, ...] = tuple(map(_tensor, arrays))
    if workload.augment is not None:
        inputs = augmented(workload.augment, inputs, generator)
    return Batch(inputs, _tensor(targets))


def _mixed(batch: Batch, share: float) -> Batch:
    """``batch`` with each example mixed with the one before it, which is a random one as the batch is shuffled.

    torchvision's `MixUp` mixes in the same way, but takes pictures and class numbers alone.
    """
    inputs = tuple(share * each + (1 - share) * each.roll(1, 0) for each in batch.inputs)
    return Batch(inputs, batch.targets, batch.targets.roll(1, 0), share)


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))


def _layout(inputs: Tensor) -> torch.memory_format:
    return torch.channels_last if inputs.dim() == 4 else torch.contiguous_format
