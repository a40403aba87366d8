"""Each criterion removes the channels that it says, on a network on which no two of them agree."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spaces.errors import WorkFailed
from spaces.model_context import ModelContext
from spaces.slimming.criteria import CRITERIA
from spaces.slimming.slim import slim

EXAMPLE = torch.ones(1, 1, 3, 3)


def make_network() -> nn.Module:
    """Eight channels, of which half stay: 4 to 7 have the larger L1 norms and 0 to 3 the larger L2 norms, the odd ones
    have the larger scales, and 0, 1, 4 and 5 alone are read by the first output.
    """
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 2))
    convolution, norm, _, head = network
    with torch.no_grad():
        convolution.weight.zero_()
        convolution.weight[:4, 0, 0, 0] = torch.tensor([3.0, 3.01, 3.02, -3.03])
        convolution.weight[4:] = 0.5
        convolution.weight[4, 0, 2] = -0.5
        norm.weight.copy_(torch.tensor([0.9, 1.1] * 4))
        head.weight.copy_(torch.tensor([[1.0, 1, 0, 0, 1, 1, 0, 0], [0.0, 0, 1, 1, 0, 0, 1, 1]]))
    return network.eval()


def first_output(network: Any, count: int) -> Iterator[Tensor]:
    """Losses that the other output does not change; of both signs, so that their mean has no gradient."""
    yield network(EXAMPLE)[0, 0]
    yield -network(EXAMPLE)[0, 0]


CONTEXT = ModelContext((EXAMPLE,), 0, make_network, losses=first_output)


def kept(criterion: str, network: nn.Module, full: nn.Module) -> list[int]:
    """The channels that stay where half of them leave."""
    slim(network, (EXAMPLE,), keep=0.5, criterion=criterion, context=CONTEXT)
    filters = [*full[0].weight.detach()]  # type: ignore[index]
    scales = [*full[1].weight.detach()]  # type: ignore[index]
    columns = [*full[3].weight.detach().T]  # type: ignore[index]
    return [
        place
        for one, scale, column in zip(network[0].weight, network[1].weight, network[3].weight.T, strict=True)  # type: ignore[index]
        for place in range(8)
        if one.equal(filters[place]) and scale.equal(scales[place]) and column.equal(columns[place])
    ]


def farthest(network: nn.Module) -> list[int]:
    """The four channels whose filters are farthest from all others, one pair after the other."""
    filters = network[0].weight.detach().flatten(1)  # type: ignore[index]
    sums = [sum(float((one - other).norm()) for other in filters) for one in filters]
    return sorted(sorted(range(8), key=sums.__getitem__)[4:])


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        ("l1", [4, 5, 6, 7]),
        ("l2", [0, 1, 2, 3]),
        ("lamp", [0, 1, 2, 3]),
        ("batch-norm-scale", [1, 3, 5, 7]),
        ("taylor", [0, 1, 4, 5]),
        ("fpgm", farthest(make_network())),
    ],
)
def test_each_criterion_keeps_what_it_scores_highest(criterion: str, expected: list[int]) -> None:
    found = kept(criterion, make_network(), make_network())
    assert found == expected


def test_the_distances_tell_opposite_filters_from_equal_ones() -> None:
    assert 3 in farthest(make_network())
    assert farthest(make_network()) not in ([0, 1, 2, 3], [4, 5, 6, 7], [1, 3, 5, 7], [0, 1, 4, 5])


def test_random_channels_depend_on_the_seed_alone() -> None:
    found = []
    for seed in (0, 0, 1, 2, 3):
        network = make_network()
        torch.manual_seed(seed)
        slim(network, (EXAMPLE,), keep=0.5, criterion="random")
        found.append(network[0].weight.detach().flatten().tolist())  # type: ignore[index]
    assert found[0] == found[1]
    assert len({*map(tuple, found)}) > 1


@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_units_of_a_recurrent_layer_leave_by_every_criterion_but_the_scale_of_norms(criterion: str) -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent, self.norm, self.head = nn.GRU(4, 16, batch_first=True), nn.BatchNorm1d(16), nn.Linear(16, 3)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.head(self.norm(self.recurrent(x)[0][:, -1]))
            return out

    network, x = Reader().eval(), torch.randn(1, 5, 4)
    if criterion == "batch-norm-scale":
        with pytest.raises(WorkFailed, match=r"removes none.*GRU layers are left as they are"):
            slim(network, (x,), keep=0.5, criterion=criterion)
        return
    slim(network, (x,), keep=0.5, criterion=criterion)
    assert network.recurrent.hidden_size == 8
    assert network(torch.randn(2, 5, 4)).shape == (2, 3)


def test_gradients_are_gone_when_the_channels_have_left() -> None:
    network = make_network()
    slim(network, (EXAMPLE,), keep=0.5, criterion="taylor", context=CONTEXT)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_network_without_batch_normalisation_is_told_that_it_has_no_scales() -> None:
    network = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    with pytest.raises(WorkFailed, match="no batch normalisation with a scale"):
        slim(network, (torch.randn(1, 8),), keep=0.5, criterion="batch-norm-scale")


def test_layers_without_batch_normalisation_keep_their_channels_where_its_scale_decides() -> None:
    network = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3)).eval()
    slim(network, (torch.randn(1, 8),), keep=0.5, criterion="batch-norm-scale")
    assert [layer.out_features for layer in network if isinstance(layer, nn.Linear)] == [8, 16, 3]
