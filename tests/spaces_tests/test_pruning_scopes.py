"""How the share that stays is shared out over the layers: by one ranking, by one of a kind, by what it costs."""

import copy

import pytest
import torch
from torch import Tensor, nn

from spaces.errors import WorkFailed
from spaces.model_context import ModelContext
from spaces.slimming.boundaries import traced
from spaces.slimming.network_state import size
from spaces.slimming.pruner import Wanted, _pruner, _scored_groups, prune
from spaces.slimming.sensitivity import OutputError, shares_by_error
from spaces.slimming.slim import slim
from spaces.slimming.tracing import shapes_read
from spaces.slimming.widths import SCOPES


class Mixed(nn.Module):
    """Two convolutions, then two linear layers; half of the second one's channels, and of the last one's, have no
    weight, and what the first convolution gives is hardly read.
    """

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 32, 1)
        self.third, self.last, self.head = nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 3)
        with torch.no_grad():
            for layer in (self.first, self.second, self.third, self.last):
                layer.weight.fill_(0.1)
                layer.weight += 0.01 * torch.randn(layer.weight.shape)
            self.second.weight[16:] = 1e-6
            self.last.weight[16:] = 1e-6

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.second(torch.relu(self.first(x)))).mean((2, 3))
        found: Tensor = self.head(torch.relu(self.last(torch.relu(self.third(x)))))
        return found


X = torch.ones(1, 1, 6, 6)


def kept(scope: str, keep: float = 0.75, network: Mixed | None = None) -> dict[str, int]:
    """How many channels each layer keeps."""
    network = (network or Mixed()).eval()
    slim(network, (X,), keep=keep, scope=scope, multiple=1)
    assert network(torch.cat([X, X])).shape == (2, 3)
    layers = {"first": network.first, "second": network.second, "third": network.third, "last": network.last}
    return {name: layer.weight.shape[0] for name, layer in layers.items()}


def test_by_default_each_layer_keeps_the_same_share() -> None:
    assert kept("uniform") == dict.fromkeys(("first", "second", "third", "last"), 24)


def test_one_ranking_takes_the_weakest_channels_of_all_layers() -> None:
    found = kept("global")
    assert sum(found.values()) == 96
    assert found["second"] == found["last"] == 16
    assert found["first"] == found["third"] == 32


def test_what_a_ranking_leaves_to_each_layer_counts_for_the_share() -> None:
    found = kept("global", 0.25)
    assert sum(found.values()) == 32
    assert found["first"] == found["third"] == 4


def test_a_ranking_of_each_kind_keeps_the_same_share_of_each_kind() -> None:
    found = {}
    for scope in ("global", "isomorphic"):
        network = Mixed()
        with torch.no_grad():
            network.third.weight[4:] = 1e-6
        own = kept(scope, 0.5, network)
        found[scope] = (own["first"] + own["second"], own["third"] + own["last"])
    assert found["isomorphic"] == (32, 32)
    assert sum(found["global"]) == 64
    assert found["global"][1] < 24


def test_layers_lose_as_much_as_costs_the_outputs_the_same() -> None:
    found = kept("sensitivity")
    assert 90 <= sum(found.values()) <= 102
    assert found["second"] < found["first"]
    assert found["last"] < found["third"]


@pytest.mark.parametrize("scope", SCOPES)
def test_no_scope_leaves_a_layer_empty(scope: str) -> None:
    assert set(kept(scope, 0.01).values()) == {4}


@pytest.mark.parametrize("scope", SCOPES)
def test_where_no_layer_can_be_narrowed_that_is_the_reason(scope: str) -> None:
    with pytest.raises(WorkFailed, match="removes none"):
        slim(nn.Sequential(nn.Linear(4, 3)), (torch.randn(1, 4),), keep=0.5, scope=scope)


def test_the_shares_have_the_mean_that_was_asked_for_and_one_error() -> None:
    slopes = (1.0, 4.0, 16.0)
    for keep in (0.9, 0.7, 0.5, 0.3, 0.1):
        shares = shares_by_error([100, 100, 200], keep, lambda place, removed: slopes[place] * removed)
        assert (shares[0] + shares[1] + 2 * shares[2]) / 4 == pytest.approx(keep, abs=1e-6)
        assert shares[0] <= shares[1] <= shares[2]
    shares = shares_by_error([100, 100, 200], 0.85, lambda place, removed: slopes[place] * removed)
    errors = [
        slopes[place] * (1 - share) * size
        for place, (share, size) in enumerate(zip(shares, (100, 100, 200), strict=False))
    ]
    assert errors[1] == pytest.approx(errors[2], rel=1e-3)


def test_where_nothing_costs_anything_all_lose_the_same() -> None:
    assert shares_by_error([8, 16], 0.75, lambda place, removed: 0.0) == pytest.approx([0.75, 0.75])


def test_what_is_measured_is_what_the_removal_costs() -> None:
    network = Mixed().eval()
    examples = [(torch.randn(1, 1, 6, 6),) for _ in range(3)]
    batch = torch.cat([x for (x,) in examples])
    with torch.no_grad():
        before = network(batch)
    with shapes_read(network), torch.enable_grad(), traced(network, examples[0], attention=True) as module:
        pruner = _pruner(module, examples[0], [network.head])
        (group,) = [one for one in _scored_groups(pruner, "l1") if one.layer is network.third]
        measured = OutputError(network, examples)(group.group, group.least(8))
        pruner.DG.get_pruning_group(network.third, group.group[0].dep.handler, group.least(8)).prune()
    with torch.no_grad():
        costs = float((network(batch) - before).square().mean())
    assert measured == pytest.approx(costs, rel=1e-4)
    assert costs > 0


def test_examples_of_the_calibration_split_are_what_it_is_measured_on() -> None:
    asked = []

    def calibration(count: int) -> list[tuple[Tensor]]:
        asked.append(count)
        return [(X,)] * count

    network = Mixed().eval()
    before = size(network)
    slim(network, (X,), keep=0.5, scope="sensitivity", context=ModelContext((X,), 0, Mixed, calibration=calibration))
    assert asked == [16]
    assert size(network) < before


def test_groups_of_a_grouped_convolution_stay_equally_large() -> None:
    grouped = nn.Conv2d(32, 32, 3, groups=4)
    network = nn.Sequential(nn.Conv2d(1, 32, 1), nn.ReLU(), grouped, nn.Flatten(), nn.Linear(32, 2))
    for scope in SCOPES:
        slimmed = copy.deepcopy(network).eval()
        slim(slimmed, (torch.randn(1, 1, 3, 3),), keep=0.75, scope=scope)
        assert slimmed(torch.randn(2, 1, 3, 3)).shape == (2, 2)
        assert slimmed[2].weight.shape[0] % 4 == 0


def test_a_scope_needs_no_more_than_prune_is_given() -> None:
    network = Mixed().eval()
    with shapes_read(network):
        prune(network, (X,), Wanted(0.5, scope="global"))
    assert network(X).shape == (1, 3)
