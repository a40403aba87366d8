"""The mean training loss of each epoch, which no step waits for."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, distributed

from runners.training.strategy import Share


class EpochLosses:
    """Adds up the losses of steps where they were computed; they are read once, after the training.

    Args:
        epochs: The epochs that are trained, counted from 0.
        steps: How many steps an epoch has.
    """

    def __init__(self, epochs: range, steps: int) -> None:
        self._epochs = epochs
        self._steps = steps
        self._sums: list[Tensor] = []
        self._taken = 0

    def add(self, loss: Tensor) -> None:
        """The next step had this loss."""
        loss = loss.detach().float()
        if self._taken % self._steps:
            self._sums[-1] += loss
        else:
            self._sums.append(loss.clone())
        self._taken += 1

    def means(self, share: Share) -> dict[int, float]:
        """The mean of each epoch by the number of epochs trained with it; of several workers that call this together.

        Epochs whose loss was not finite are left out.
        """
        means = torch.stack(self._sums) / self._steps
        if share.training.workers > 1 and distributed.is_initialized():
            known = torch.full_like(means[:1], share.computes_loss)
            together = torch.cat([means * known, known])
            distributed.all_reduce(together)
            means = together[:-1] / together[-1]
        return rounded(range(self._epochs.start + 1, self._epochs.stop + 1), [float(mean) for mean in means.cpu()])


def rounded(epochs: Sequence[int], losses: Sequence[float]) -> dict[int, float]:
    """The finite ``losses`` by ``epochs``, with six digits."""
    return {epoch: float(f"{one:.6g}") for epoch, one in zip(epochs, losses, strict=True) if math.isfinite(one)}
