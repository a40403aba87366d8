"""Slimming keeps the shape of the outputs, rounds widths, and raises where it removes nothing."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from spaces.errors import WorkFailed
from spaces.slimming.slim import slim


class ConvolutionalHead(nn.Module):
    """Its outputs are the mean of a convolution, so no linear layer shows which layer is the last."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(1, 16, 3)
        self.head = nn.Conv2d(16, 6, 1)
        self.norm = nn.BatchNorm2d(6)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.head(torch.relu(self.body(x))))).mean((2, 3))


class TwoHeads(nn.Module):
    """Its outputs are the sum of two layers, one of which has as many features as a hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(12, 12)
        self.left = nn.Linear(12, 12)
        self.right = nn.Linear(12, 12)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.hidden(x.flatten(1)))
        return self.left(h) + self.right(h)


def _two(width: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, width, 3), nn.ReLU(), nn.Flatten(), nn.Linear(width * 4, 5))


@pytest.mark.parametrize(
    ("build", "shape"), [(ConvolutionalHead, (1, 1, 8, 8)), (TwoHeads, (1, 12)), (lambda: _two(16), (1, 1, 4, 4))]
)
@pytest.mark.parametrize("keep", [0.75, 0.5, 0.125])
def test_the_outputs_keep_their_shape(build: Callable[[], nn.Module], shape: tuple[int, ...], keep: float) -> None:
    network, example = build(), torch.randn(shape)
    outputs, before = network(example).shape, sum(p.numel() for p in network.parameters())
    slim(network, (example,), keep=keep)
    assert network(example).shape == outputs
    assert sum(p.numel() for p in network.parameters()) < before


@pytest.mark.parametrize(
    ("width", "keep", "kept"),
    [
        (16, 0.75, 12),
        (16, 0.5, 8),
        (16, 0.125, 4),
        (10, 0.1, 4),
        (64, 0.3, 16),
        (64, 0.125, 8),
        (100, 0.7, 72),
        (96, 1 / 6, 16),
        (24, 1 / 3, 8),
    ],
)
def test_widths_are_rounded_and_never_below_four(width: int, keep: float, kept: int) -> None:
    network = _two(width)
    slim(network, (torch.randn(1, 1, 4, 4),), keep=keep, new=True)
    assert network[0].out_channels == kept


def test_magnitude_keeps_the_channels_with_the_largest_weights() -> None:
    network = _two(8)
    with torch.no_grad():
        for channel in range(8):
            network[0].weight[channel] = 0.1 + channel % 4
        network[3].weight.fill_(1.0)
    slim(network, (torch.randn(1, 1, 4, 4),), keep=0.5)
    assert sorted(network[0].weight[:, 0, 0, 0].tolist()) == pytest.approx([2.1, 2.1, 3.1, 3.1])


def test_frozen_layers_are_slimmed_too_and_stay_frozen() -> None:
    network = ConvolutionalHead()
    network.body.requires_grad_(False)
    slim(network, (torch.randn(1, 1, 8, 8),), keep=0.5)
    assert (network.body.out_channels, network.head.out_channels) == (8, 6)
    assert [p.requires_grad for p in network.parameters()] == [False, False, True, True, True, True]


def test_removing_nothing_is_an_error() -> None:
    with pytest.raises(WorkFailed, match="removes none"):
        slim(_two(16), (torch.randn(1, 1, 4, 4),), keep=0.95)


def test_a_network_that_cannot_be_pruned_is_an_error_that_says_why() -> None:
    class FixedView(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.Conv2d(1, 16, 3), nn.Linear(64, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.body(x).reshape(1, 64))

    with pytest.raises(WorkFailed, match="channels cannot be removed from this network"):
        slim(FixedView(), (torch.randn(1, 1, 4, 4),), keep=0.5)
