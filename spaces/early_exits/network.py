"""A network with exits: a head behind a part of its layers, and the rest only for inputs of which that is not sure."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from spaces.early_exits.places import divided

NEVER = 2.0
"""A threshold that no confidence reaches."""


class ExitHead(nn.Module):
    """What layers give inside of a network to logits: the mean over all places, and a linear layer.

    Args:
        features: Their number at one place.
        classes: Outputs.
        dimension: The dimension of the features.
    """

    def __init__(self, features: int, classes: int, dimension: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, classes)
        self.dimension = dimension

    def forward(self, hidden: Tensor) -> Tensor:
        places = [each for each in range(1, hidden.dim()) if each != self.dimension % hidden.dim()]
        logits: Tensor = self.linear(hidden.mean(places) if places else hidden)
        return logits


class EarlyExit(nn.Module):
    """A network that is left behind its first part where the head there is sure.

    The confidence is the largest probability of softmax. Each example of a batch has the answer that it would have
    alone; the rest is computed where one of them at least is not sure. In training mode everything is computed: the
    last output is returned, and what the head gave is kept for `early_outputs`.

    Args:
        first: From the inputs to one tensor.
        head: From that to logits ``(n, classes)``.
        rest: From the same tensor to logits; it may have exits too.
    """

    threshold: Tensor

    def __init__(self, first: nn.Module, head: nn.Module, rest: nn.Module) -> None:
        super().__init__()
        self.first, self.head, self.rest = first, head, rest
        self.register_buffer("threshold", torch.tensor(NEVER))
        self._early: list[Tensor] = []

    def forward(self, *inputs: Tensor) -> Tensor:
        hidden = self.first(*inputs)
        early = self.head(hidden)
        if self.training:
            self._early = [early]
            last: Tensor = self.rest(hidden)
            return last
        sure = confidence(early) >= self.threshold
        return torch.where(sure.unsqueeze(1), early, self._late(sure.all(), hidden, early))

    def take_early(self) -> Tensor:
        """What the head gave in the last call in training mode; it is not kept any longer."""
        return self._early.pop()

    def _late(self, all_sure: Tensor, hidden: Tensor, early: Tensor) -> Tensor:
        if torch.compiler.is_compiling() or torch.compiler.is_exporting():
            late: Tensor = torch.cond(
                all_sure,
                lambda _, given: given.clone(),
                lambda given, own: self.rest(given).reshape(own.shape),
                (hidden, early),
            )
            return late
        return early if bool(all_sure) else self.rest(hidden)


def confidence(logits: Tensor) -> Tensor:
    """The largest probability of each row of ``logits``, ``(n, classes)`` to ``(n,)``."""
    return logits.float().softmax(1).amax(1)


def exits_of(network: nn.Module) -> list[EarlyExit]:
    """The exits of ``network``, the first one first; empty for one without."""
    return [layer for layer in network.modules() if isinstance(layer, EarlyExit)]


def all_outputs(network: nn.Module, inputs: tuple[Any, ...]) -> list[Tensor]:
    """What the heads of the exits give, and the last output, each ``(n, classes)``; nothing is left out.

    Args:
        network: An `EarlyExit` in eval mode.
        inputs: A tensor for each input.
    """
    outputs, given = [], inputs
    while isinstance(network, EarlyExit):
        hidden = network.first(*given)
        outputs.append(network.head(hidden))
        network, given = network.rest, (hidden,)
    return [*outputs, network(*given)]


def with_exits(network: nn.Module, exits: Sequence[Mapping[str, Any]], classes: int) -> EarlyExit:
    """``network`` with an exit at each of several places; the heads have new weights.

    Args:
        network: As `spaces.early_exits.places.exit_places` was given it; its layers are taken over.
        exits: The fields of each `spaces.early_exits.places.Place`, the first one first.
        classes: Outputs of the network.
    """
    *parts, built = divided(network, [each["node"] for each in exits])
    for part, place in zip(reversed(parts), reversed(exits), strict=True):
        built = EarlyExit(part, ExitHead(place["features"], classes, place["dimension"]), built)
    assert isinstance(built, EarlyExit)
    return built
