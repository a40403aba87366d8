"""A network is cut where one tensor alone goes on, and its parts one after the other are the network."""

import pytest
import torch
from spaces_tests.small_network import make_network
from torch import Tensor, nn

from spaces.early_exits.places import divided, exit_places
from spaces.errors import WorkFailed

X = torch.linspace(-1, 1, 2 * 64).reshape(2, 1, 8, 8)


class Forked(nn.Module):
    """Reads its input again at the end, so that no tensor alone goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 4)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        y: Tensor = self.last(torch.relu(self.second(torch.relu(self.first(flat)))) + flat)
        return y


class Decides(nn.Module):
    """Looks at the values of its input, which no record of it can."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x.flatten(1) if x.sum() > 0 else -x.flatten(1))
        return y


def test_the_parts_one_after_the_other_are_the_network() -> None:
    network = make_network().eval()
    places = exit_places(network, (X,), 3)
    parts = divided(network, [place.node for place in places])
    hidden = X
    for part in parts:
        hidden = part(hidden)
    assert len(parts) == 4
    assert torch.equal(hidden, network(X))


def test_places_divide_the_operations_evenly() -> None:
    network = nn.Sequential(nn.Flatten(), *(nn.Linear(64, 64) for _ in range(8))).eval()
    for count, expected in ((1, [0.5]), (2, [0.375, 0.625]), (3, [0.25, 0.5, 0.75])):
        assert [place.share for place in exit_places(network, (X,), count)] == expected


def test_a_block_with_a_shortcut_is_not_cut() -> None:
    network = make_network().eval()
    names = {place.node for place in exit_places(network, (X,), 3)}
    assert not [name for name in names if "convolution" in name or "attention" in name]


def test_the_features_are_the_channels_of_convolutions_and_the_last_size_of_tokens() -> None:
    convolutions = exit_places(make_network().eval(), (X,), 1)[0]
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    tokens = nn.Sequential(nn.Flatten(1, 2), layer, nn.TransformerEncoderLayer(8, 2, 16, batch_first=True))
    network = nn.Sequential(*tokens, nn.Flatten(), nn.Linear(64, 4)).eval()
    assert (convolutions.features, convolutions.dimension) == (16, 1)
    assert (exit_places(network, (X,), 1)[0].features, exit_places(network, (X,), 1)[0].dimension) == (8, -1)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (
            Forked(),
            "this network has 0 places for an exit, between blocks where one tensor alone goes on; fewer than",
        ),
        (Decides(), "the forward of this network cannot be recorded by torch.fx, so that it cannot be cut for an exit"),
    ],
    ids=["a tensor is read again", "a condition on the data"],
)
def test_a_network_without_a_place_says_why(network: nn.Module, said: str) -> None:
    with pytest.raises(WorkFailed, match=said):
        exit_places(network.eval(), (X,), 1)
