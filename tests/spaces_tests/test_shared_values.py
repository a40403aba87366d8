"""Layers whose weights share values keep few of them while they are trained, and zeros stay zero."""

import pytest
import torch
from torch import nn

from spaces.errors import WorkFailed
from spaces.model_context import ModelContext
from spaces.network_changes.shared_values import share_values
from spaces.space_document import find_technique, make_space


def _layer(zeros: float = 0.0) -> nn.Linear:
    torch.manual_seed(0)
    layer = nn.Linear(32, 32)
    with torch.no_grad():
        layer.weight[torch.rand(32, 32) < zeros] = 0.0
    return layer


@pytest.mark.parametrize("zeros", [0.0, 0.8])
def test_a_layer_gets_as_many_values_as_allowed_and_they_are_near_its_weights(zeros: float) -> None:
    layer = _layer(zeros)
    before = layer.weight.detach().clone()
    assert share_values(layer, 16) == 16
    assert len(layer.weight.unique()) == 16
    assert torch.equal(layer.weight == 0, before == 0)
    assert (layer.weight - before).abs().max() < 0.02


def test_training_moves_the_values_and_neither_their_number_nor_zeros() -> None:
    layer = _layer(0.5)
    share_values(layer, 8)
    before, zeros = layer.weight.detach().clone(), layer.weight == 0
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.5, momentum=0.9, weight_decay=0.01)
    for _ in range(20):
        optimiser.zero_grad()
        (layer(torch.eye(32)) - 3).square().mean().backward()
        optimiser.step()
    assert len(layer.weight.unique()) <= 8
    assert torch.equal(layer.weight == 0, zeros)
    assert not torch.equal(layer.weight, before)


def test_a_value_is_moved_by_the_mean_of_the_gradients_of_its_weights() -> None:
    layer = _layer()
    share_values(layer, 4)
    shared = layer.parametrizations.weight
    (layer.weight * 3).sum().backward()
    assert torch.allclose(shared.original.grad, torch.full((4,), 3.0))


def test_few_distinct_weights_are_kept_as_they_are() -> None:
    layer = _layer()
    with torch.no_grad():
        layer.weight.copy_(layer.weight.sign())
    before = layer.weight.detach().clone()
    assert share_values(layer, 16) == 2
    assert torch.equal(layer.weight, before)


def test_a_network_whose_layers_are_too_small_is_told_so() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    context = ModelContext((torch.ones(1, 4),), 0, lambda: network)
    with pytest.raises(WorkFailed, match="no convolution or linear layer has more than 256 weights"):
        find_technique("weight_clusters").apply(network, {"weight_clusters": 256}, context)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"weight_clusters": [1]}, "weight_clusters cannot be 1; allowed is 0, or a whole number from 2 to 4096"),
        ({"weight_sparsity": [1.0]}, "weight_sparsity cannot be 1.0; allowed is the share of weights that are zero"),
        ({"sparsity_method": ["random"]}, "sparsity_method cannot be 'random'; allowed is one of magnitude, lottery"),
        ({"sparsity_pattern": [124]}, "sparsity_pattern cannot be 124; allowed is unstructured, or '2:4' in quotes"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(choices: dict[str, list[object]], said: str) -> None:
    from spaces_tests.environments import LAPTOP

    from spaces.errors import RequestError

    with pytest.raises(RequestError, match=said):
        make_space(choices, LAPTOP)
