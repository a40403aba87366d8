"""The network on which the rules of techniques are tried."""

import torch
from torch import nn


class _Residual(nn.Module):
    """A convolution and a shortcut, for 16 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(16, 16, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.relu(self.convolution(x))


class _Attended(nn.Module):
    """Attention of four heads over the places of a picture of 16 channels, and a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        places = x.flatten(2).transpose(1, 2)
        found = self.attention(places, places, places, need_weights=False)[0]
        return x + found.transpose(1, 2).unflatten(2, x.shape[2:])


def make_network() -> nn.Module:
    """Grey pictures ``(n, 1, 8, 8)`` to four logits ``(n, 4)``: a stem with a stride, three equal blocks, a head.

    It has what techniques look for: coupled channels, a norm with scales, blocks that could be left out, layers that
    could be factored, attention, and a hidden layer in its head.
    """
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1),
        nn.Sequential(nn.BatchNorm2d(16), nn.ReLU()),
        nn.Sequential(_Residual(), _Residual(), _Residual()),
        nn.Sequential(nn.ReLU(), nn.Conv2d(16, 16, 1), _Attended()),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 16),
        nn.ReLU(),
        nn.Linear(16, 4),
    )
