"""Masks hold while a network is trained, each kind in its way, and give zeros that are one value in a file."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from spaces.model_context import ModelContext
from spaces.network_changes.weight_masks import kept_counts, largest, mask_of, maskable, put_mask
from spaces.space_document import find_technique
from spaces.steps import Change, Rewind, Step, Train

X = torch.linspace(-1, 1, 64).reshape(8, 8)


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


def _masked(kind: str, share: float = 0.75) -> nn.Sequential:
    network = _network()
    layers = maskable(network)
    for name, count in kept_counts(layers, share).items():
        put_mask(layers[name], kind, largest(layers[name].weight.detach().abs(), count))
    return network


def _train(network: nn.Module, target: Callable[[torch.Tensor], torch.Tensor], steps: int = 30) -> None:
    optimiser = torch.optim.SGD(network.parameters(), lr=0.2, momentum=0.9)
    network.train()
    for _ in range(steps):
        optimiser.zero_grad()
        (network(X) - target(X)).square().mean().backward()
        optimiser.step()
    network.eval()


def _zeros(network: nn.Sequential) -> torch.Tensor:
    return torch.cat([(layer.weight == 0).flatten() for layer in maskable(network).values()])


def _target(x: torch.Tensor) -> torch.Tensor:
    return x[:, :4].flip(1) * 3


def test_what_a_fixed_mask_removes_stays_zero() -> None:
    network = _masked("fixed")
    before, zeros = network[0].weight.detach().clone(), _zeros(network)
    _train(network, _target)
    assert zeros.float().mean() == 0.75
    assert torch.equal(_zeros(network), zeros)
    assert not torch.equal(network[0].weight, before)


@pytest.mark.parametrize("kind", ["splice", "movement"])
def test_other_masks_move_and_keep_their_share(kind: str) -> None:
    network = _masked(kind)
    zeros = _zeros(network)
    _train(network, _target)
    assert int(_zeros(network).sum()) == int(zeros.sum())
    assert not torch.equal(_zeros(network), zeros), "no weight came back"


def test_splicing_keeps_the_largest_weights() -> None:
    network = _masked("splice")
    _train(network, _target)
    layer = network[0]
    trained = layer.parametrizations.weight.original.detach().abs()
    kept, removed = trained[layer.weight != 0], trained[layer.weight == 0]
    assert kept.min() * 1.3 > removed.max()


def test_movement_keeps_what_moves_away_from_zero() -> None:
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[2.0, 0.5]]))  # the large one is to shrink, the small one to grow
    put_mask(layer, "movement", torch.ones(1, 2, dtype=torch.bool))
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.05)
    for _ in range(5):
        optimiser.zero_grad()
        (layer(torch.eye(2)) - torch.tensor([[0.5], [2.0]])).square().sum().backward()
        optimiser.step()
    scores = mask_of(layer).scores.detach()[0]
    assert scores[1] > 0 > scores[0]


@pytest.mark.parametrize("kind", ["fixed", "splice", "movement"])
def test_zeros_have_no_sign(kind: str) -> None:
    network = _masked(kind)
    weight = network[0].weight
    assert not torch.signbit(weight[weight == 0]).any()


def test_no_layer_is_emptied() -> None:
    network = _network()
    with torch.no_grad():
        network[2].weight.mul_(1e-6)
    assert min(kept_counts(maskable(network), 0.99).values()) >= 1


def _steps(**settings: Any) -> tuple[Step, ...]:
    return find_technique("sparsity").steps(settings)


def test_lottery_tickets_rewind_in_rounds_whose_beginnings_are_shared() -> None:
    low, high = (_steps(weight_sparsity=share, sparsity_method="lottery") for share in (0.8, 0.9))
    shares = [step.settings["weight_sparsity"] for step in high if isinstance(step, Change)]
    assert shares == [0.5, 0.75, 0.875, 0.9]
    assert high[:3] == (high[0], Rewind(), Train())
    assert low[:6] == high[:6]
    assert high[0] == _steps(weight_sparsity=0.5)[0]


def test_movement_raises_the_share_and_puts_plain_weights_in_at_the_end() -> None:
    network, technique = _network(), find_technique("sparsity")
    steps = technique.steps({"weight_sparsity": 0.75, "sparsity_method": "movement"})
    shares = []
    for step in steps:
        if isinstance(step, Change):
            network = technique.apply(network, step.settings, ModelContext((X[:1],), 0, _network))
            shares.append(float(_zeros(network).float().mean()))
        else:
            _train(network, _target, steps=3)
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == pytest.approx(0.75, abs=0.01)
    assert mask_of(network[0]) is None


def test_two_of_four_neighbouring_weights_stay() -> None:
    network = nn.Sequential(nn.Conv2d(8, 4, 3), nn.Flatten(), nn.Linear(16, 4))
    context = ModelContext((torch.ones(1, 8, 4, 4),), 0, _network)
    find_technique("sparsity").apply(network, {"weight_sparsity": 0.5, "sparsity_pattern": "2:4"}, context)
    for layer in (network[0], network[2]):
        assert ((layer.weight.movedim(1, -1).reshape(-1, 4) != 0).sum(1) == 2).all()


def test_two_of_four_is_offered_on_nvidia_alone() -> None:
    from spaces.environment import Environment
    from spaces.technique import Earlier

    technique, earlier = find_technique("sparsity"), Earlier({"weight_sparsity": 0.5}, True)
    pattern = technique.parameters[1]
    reasons = [
        technique.unsupported(pattern, "2:4", earlier, Environment(accelerator_capability=capability))
        for capability in ((), (7, 5), (8, 0))
    ]
    assert ["8.0 or higher" in str(reason) for reason in reasons] == [True, True, False]
    assert not technique.relevant(pattern, Earlier({"weight_sparsity": 0.8}, True), Environment())


def test_a_weight_that_two_layers_share_has_no_mask() -> None:
    network = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 4))
    network[2].weight = network[0].weight
    assert list(maskable(network)) == ["3"]
    network[2].weight = nn.Parameter(torch.ones(8, 8))
    assert list(maskable(network)) == ["0", "2", "3"]
