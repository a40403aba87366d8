"""The batches of a training, in the order that the seed decides: shuffled, augmented, mixed, and cut into parts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise, repeat
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from runners.inputs import as_arrays, augmented
from runners.training.settings import Level
from runners.workload import UNLABELLED, Split, Workload
from spaces.plans import TrainingPlan


@dataclass(frozen=True)
class Batch:
    """Examples with their targets, on the processor.

    Attributes:
        inputs: One tensor ``(n, *input_shape)`` for each input of the network.
        targets: ``(n, ...)``.
        others: The targets of the examples that are mixed in, of the shape of ``targets``; None without mixup.
        share: Share of each example in its mixture.
        unlabelled: Inputs without targets, as many as there are targets, a tensor for each input of the network; empty
            where there are none.
        soft: What a teacher gives for the inputs, ``(n, classes, ...)``; None where it is not known before.
    """

    inputs: tuple[Tensor, ...]
    targets: Tensor
    others: Tensor | None = None
    share: float = 1.0
    unlabelled: tuple[Tensor, ...] = ()
    soft: Tensor | None = None

    @property
    def all_inputs(self) -> tuple[Tensor, ...]:
        """Those with targets, and behind them those without."""
        if not self.unlabelled:
            return self.inputs
        return tuple(map(torch.cat, zip(self.inputs, self.unlabelled, strict=True)))

    def __len__(self) -> int:
        return len(self.targets)

    def some(self, chosen: slice) -> "Batch":
        """The ``chosen`` examples of it."""
        others, soft = (None if each is None else each[chosen] for each in (self.others, self.soft))
        inputs, unlabelled = (tuple(each[chosen] for each in given) for given in (self.inputs, self.unlabelled))
        return Batch(inputs, self.targets[chosen], others, self.share, unlabelled, soft)

    def share_of(self, rank: int, workers: int) -> "Batch":
        """The examples of worker ``rank``, where so many ``workers`` share it."""
        return self.some(slice(rank, None, workers))

    def to(self, device: torch.device) -> "Batch":
        """The same on ``device``, pictures in the memory format ``channels_last``, as convolutions compute."""
        inputs, unlabelled = (
            tuple(each.contiguous(memory_format=_layout(each)).to(device) for each in given)
            for given in (self.inputs, self.unlabelled)
        )
        others, soft = (None if each is None else each.to(device) for each in (self.others, self.soft))
        return Batch(inputs, self.targets.to(device), others, self.share, unlabelled, soft)

    def parts(self, number: int) -> list["Batch"]:
        """It in ``number`` parts whose sizes differ by one at most; in fewer where it has fewer examples."""
        number = min(number, len(self))
        ends = [len(self) * part // number for part in range(number + 1)]
        return [self.some(slice(first, end)) for first, end in pairwise(ends)]


def batches(workload: Workload, level: Level, rank: int = 0, *, distils: bool = False) -> Iterator[Batch]:
    """The batches of the epochs of ``level``, in their order.

    Where the network ``distils``, each batch has as many unlabelled inputs, if the data have some: others in every
    epoch where that split is larger than the training split, and each several times where it is smaller.

    Order, augmentation and mixing of an epoch follow from the seed and its number, the same in every worker. What the
    network draws, such as dropout, comes from torch's own generator and follows from ``rank`` too, the number of the
    worker among those that share a batch.
    """
    plan, split = level.settings.plan, workload.splits["train"]
    generator = torch.Generator()
    for epoch in level.epochs:
        random = np.random.default_rng((level.seed, epoch))
        shuffled, drawn = random.permutation(len(split)), int(random.integers(2**62))
        generator.manual_seed(drawn)
        torch.manual_seed(drawn + rank)
        # A last batch of one would break batch normalisation, so the remainder of an epoch waits for the next one.
        firsts = range(0, batches_in_epoch(workload, plan) * plan.batch_size, plan.batch_size)
        chosen = [shuffled[first : first + plan.batch_size] for first in firsts]
        further = _unlabelled(workload, chosen, random, drawn) if distils else repeat(None)
        for given, extra in zip(_read(split, chosen, drawn), further, strict=False):
            batch = _augmented(workload, *given, generator)
            if extra is not None:
                batch = replace(batch, unlabelled=_augmented_inputs(workload, extra, generator))
            yield _mixed(batch, float(random.beta(plan.mixup, plan.mixup))) if plan.mixup else batch


def batches_in_epoch(workload: Workload, plan: TrainingPlan) -> int:
    """How many whole batches the training split gives, and one where it is smaller than that."""
    return max(1, len(workload.splits["train"]) // plan.batch_size)


def _read(split: Split, batches: list[NDArray[np.int64]], seed: int) -> Iterator[tuple[Any, Any]]:
    """Inputs and targets of the ``batches`` of an epoch.

    A split that draws at random, or reads ahead, gives them all together: see `DatasetSplit.epoch_batches`.
    """
    together = getattr(split, "epoch_batches", None)
    return together(batches, seed) if callable(together) else map(split.batch, batches)


def _unlabelled(
    workload: Workload, batches: list[NDArray[np.int64]], random: np.random.Generator, seed: int
) -> Iterator[Any]:
    """As many inputs of the unlabelled split for each of the ``batches``; None where there is no such split."""
    split = workload.splits.get(UNLABELLED)
    if split is None:
        return repeat(None)
    shuffled = np.resize(random.permutation(len(split)), sum(map(len, batches)))
    cuts = np.cumsum([len(each) for each in batches])[:-1]
    return (inputs for inputs, _ in _read(split, np.split(shuffled, cuts), seed))


def _augmented(workload: Workload, given: Any, targets: NDArray[Any], generator: torch.Generator) -> Batch:
    return Batch(_augmented_inputs(workload, given, generator), _tensor(targets))


def _augmented_inputs(workload: Workload, given: Any, generator: torch.Generator) -> tuple[Tensor, ...]:
    inputs: tuple[Tensor, ...] = tuple(map(_tensor, as_arrays(given)))
    return inputs if workload.augment is None else augmented(workload.augment, inputs, generator)


def _mixed(batch: Batch, share: float) -> Batch:
    """``batch`` with each example mixed with the one before it, which is a random one as the batch is shuffled.

    torchvision's `MixUp` mixes in the same way, but takes pictures and class numbers alone.
    """
    inputs = tuple(share * each + (1 - share) * each.roll(1, 0) for each in batch.inputs)
    return replace(batch, inputs=inputs, others=batch.targets.roll(1, 0), share=share)


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))


def _layout(inputs: Tensor) -> torch.memory_format:
    return torch.channels_last if inputs.dim() == 4 else torch.contiguous_format
