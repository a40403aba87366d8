"""The exponential moving average of a network's weights, which is judged and kept in their place.

`torch.optim.swa_utils.AveragedModel` copies the whole network, which networks that keep computed tensors (weight norm)
refuse; here its tensors alone are averaged, by the function that it uses.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from runners.training.strategy import Share

LIVE = "live/"
"""Begins the names of the weights that are trained on, in the state of a training whose network has the average."""


class WeightAverage:
    """The average of all floating-point parameters and buffers of a network, running statistics among them.

    It starts at the weights of the network. Early on the decay is smaller than asked for, ``(1 + n) / (10 + n)`` at
    step n, so that a short training is not held back by its first weights.

    Args:
        share: Holds the weights before the first step, or what this worker has of them; or the average, where ``state``
            has what is trained on, which is then put in.
        decay: Share of the average that stays at each step, from 0 to below 1.
        state: What `exchange` gave at the end of the epochs before.
        done: Steps done before.
    """

    def __init__(self, share: Share, decay: float, state: Mapping[str, Tensor], done: int) -> None:
        self._share, self._decay, self._steps = share, decay, done
        self._trained = {name: tensor for name, tensor in share.tensors().items() if tensor.is_floating_point()}
        self._average = {name: tensor.clone() for name, tensor in self._trained.items()}
        with torch.no_grad():
            for name, tensor in self._trained.items():
                if LIVE + name in state:
                    tensor.copy_(share.placed_weight(name, state[LIVE + name]))

    def update(self) -> None:
        """Take in the weights after a step."""
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        average([*self._average.values()], [*self._trained.values()], None)
        self._steps += 1

    def exchange(self) -> dict[str, Tensor]:
        """Put the average into the network; returns the weights that it was trained on, by names for the state."""
        live = {LIVE + name: self._share.whole_weight(name, each).clone() for name, each in self._trained.items()}
        for name, tensor in self._trained.items():
            tensor.copy_(self._average[name])
        return live
