"""Weights that are computed at every call become plain ones, and the network answers as before."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from spaces.network_changes.parametrisations import is_parametrised, remove_parametrisations

Wrap = Callable[[nn.Module], nn.Module]


class Doubled(nn.Module):
    """A parametrisation of somebody's own."""

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return 2 * weight


def masked(layer: nn.Module) -> Any:
    return prune.l1_unstructured(layer, "weight", 0.5)


def doubled(layer: nn.Module) -> nn.Module:
    return parametrize.register_parametrization(layer, "weight", Doubled())


KINDS: dict[str, Wrap] = {
    "weight norm": parametrizations.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "own": doubled,
    "two of them": lambda layer: doubled(parametrizations.spectral_norm(layer)),
    "older weight norm": nn.utils.weight_norm,
    "older spectral norm": nn.utils.spectral_norm,
    "mask": masked,
    "older weight norm and its mask": lambda layer: prune.l1_unstructured(nn.utils.weight_norm(layer), "bias", 0.5),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_a_parametrised_network_gets_plain_weights(kind: str) -> None:
    torch.manual_seed(0)
    block = nn.Sequential(KINDS[kind](nn.Linear(6, 6)), nn.ReLU())
    network, inputs = nn.Sequential(block, nn.Linear(6, 2)), torch.randn(5, 6)
    network(inputs)  # a call in training mode changes what spectral norm keeps
    expected = network.eval()(inputs).detach()
    network.train()
    assert is_parametrised(network)
    remove_parametrisations(network)
    assert not is_parametrised(network)
    assert set(network.state_dict()) == {"0.0.weight", "0.0.bias", "1.weight", "1.bias"}
    assert all(parameter.requires_grad and parameter.is_leaf for parameter in network.parameters())
    torch.testing.assert_close(network(inputs), expected)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_frozen_weights_stay_frozen(kind: str) -> None:
    network = nn.Sequential(KINDS[kind](nn.Linear(6, 6)).requires_grad_(False), nn.Linear(6, 2))
    remove_parametrisations(network)
    assert {name: parameter.requires_grad for name, parameter in network.named_parameters()} == {
        "0.weight": False,
        "0.bias": False,
        "1.weight": True,
        "1.bias": True,
    }


def test_a_plain_network_stays_as_it_is() -> None:
    network = nn.Sequential(nn.Linear(6, 6))
    before = network[0].weight
    assert not is_parametrised(network)
    remove_parametrisations(network)
    assert network[0].weight is before
