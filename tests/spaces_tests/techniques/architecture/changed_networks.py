"""What the tests of techniques that change the layers of a network share: a context, and small networks."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from spaces.configuration import Scalar
from spaces.model_context import ModelContext
from spaces.space_document import find_technique


class Block(nn.Module):
    """A residual block of 8 channels: ``gain`` says how much it does."""

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.convolution, self.gain = nn.Conv2d(8, 8, 3, 1, 1, bias=False), gain
        nn.init.dirac_(self.convolution.weight)  # gives what it takes

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gain * torch.relu(self.convolution(x))


def residual_network(*gains: float) -> nn.Module:
    """Pictures ``(n, 3, 16, 16)`` to four logits, through a row of blocks with these gains."""
    stem = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    return nn.Sequential(stem, nn.Sequential(*map(Block, gains)), head).eval()


def pictures(count: int = 1, size: Sequence[int] = (3, 16, 16)) -> Tensor:
    """The same random pictures each time."""
    return torch.randn(count, *size, generator=torch.Generator().manual_seed(1))


def context(example: Sequence[Tensor] | None = None, initial: Callable[[], Any] = nn.Identity, **more: Any) -> Any:
    """The context of a change, for pictures ``(1, 3, 16, 16)`` unless an example is given."""
    return ModelContext(tuple(example or (pictures(),)), 0, initial, **more)


def changed(network: nn.Module, settings: dict[str, Scalar], given: ModelContext | None = None) -> Any:
    """``network`` changed by the technique whose choice is the only one in ``settings``."""
    (name,) = settings
    return find_technique(name).apply(network, settings, given or context())
