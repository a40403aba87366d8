"""Layers as products of smaller ones: equal where the layer has that rank, cheaper, and nothing else is touched."""

import pytest
import torch
from spaces_tests.techniques.architecture.changed_networks import changed, context, pictures
from torch import Tensor, nn

from spaces.environment import Environment
from spaces.errors import RequestError, WorkFailed
from spaces.space_document import find_technique, make_space


def of_rank(layer: nn.Module, outputs: int, inputs: int) -> nn.Module:
    """``layer`` with a weight of these ranks over its outputs and its inputs."""
    weight: Tensor = layer.weight  # type: ignore[assignment]
    left, right = torch.randn(weight.shape[0], outputs), torch.randn(inputs, weight.shape[1])
    core = torch.randn(outputs, inputs, *weight.shape[2:])
    with torch.no_grad():
        weight.copy_(torch.einsum("oa,ab...,bi->oi...", left, core, right))
    return layer


def layers(network: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(parameter.shape) for name, parameter in network.named_parameters() if name.endswith("weight")]


@pytest.mark.parametrize(
    ("layer", "size", "expected"),
    [
        (of_rank(nn.Linear(32, 24), 4, 4), (32,), [(4, 32), (24, 4)]),
        (of_rank(nn.Conv2d(24, 32, 1, stride=2), 3, 3), (24, 8, 8), [(3, 24, 1, 1), (32, 3, 1, 1)]),
        (
            of_rank(nn.Conv2d(24, 32, 3, stride=2, padding=1, dilation=2), 6, 4),
            (24, 12, 12),
            [(4, 24, 1, 1), (6, 4, 3, 3), (32, 6, 1, 1)],
        ),
        (
            of_rank(nn.Conv2d(3, 32, 3, padding=1, padding_mode="reflect"), 3, 3),
            (3, 8, 8),
            [(3, 3, 3, 3), (32, 3, 1, 1)],
        ),
    ],
)
def test_a_layer_of_little_rank_gives_the_same_with_fewer_multiplications(
    layer: nn.Module, size: tuple[int, ...], expected: list[tuple[int, ...]]
) -> None:
    example, batch = pictures(1, size), pictures(2, size)
    before = layer(batch)
    made = changed(nn.Sequential(layer), {"low_rank": 0.999999}, context((example,)))
    assert layers(made) == expected
    torch.testing.assert_close(made(batch), before, atol=1e-3, rtol=1e-3)


def test_less_energy_keeps_less_rank() -> None:
    torch.manual_seed(0)
    sizes = []
    for energy in (0.7, 0.5, 0.3):
        made = changed(nn.Sequential(nn.Linear(48, 48)), {"low_rank": energy}, context((torch.zeros(1, 48),)))
        sizes.append(layers(made)[0][0])
    assert 24 > sizes[0] > sizes[1] > sizes[2] > 0


def test_the_energy_kept_is_that_which_was_asked_for() -> None:
    layer = nn.Linear(8, 8, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.diag(torch.tensor([4.0, 2.0, 1.0, 0.5, 0.1, 0.1, 0.1, 0.1])))
    squares = layer.weight.detach().diagonal().square()
    for energy, rank in ((0.75, 1), (0.9, 2), (0.95, 3)):
        made = changed(nn.Sequential(layer), {"low_rank": energy}, context((torch.zeros(1, 8),)))
        assert layers(made)[0] == (rank, 8)
        assert float(squares[:rank].sum() / squares.sum()) >= energy > float(squares[: rank - 1].sum() / squares.sum())
        layer = nn.Linear(8, 8, bias=False)
        with torch.no_grad():
            layer.weight.copy_(torch.diag(torch.tensor([4.0, 2.0, 1.0, 0.5, 0.1, 0.1, 0.1, 0.1])))


class Doubling(nn.Linear):
    """Does more with its weight than a linear layer."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * 2


class Others(nn.Module):
    """Layers that keep their weights: in attention, shared, of another class, used without a call."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.first = nn.Linear(16, 16)
        self.second = nn.Linear(16, 16)
        self.second.weight = self.first.weight
        self.doubling = Doubling(16, 16)
        self.uncalled = nn.Linear(16, 16)
        for layer in (self.attention.out_proj, self.first, self.doubling, self.uncalled):
            of_rank(layer, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.first(self.attention(x, x, x)[0]))
        return nn.functional.linear(self.doubling(x), self.uncalled.weight)


def test_attention_and_weights_that_others_use_are_left_alone() -> None:
    with pytest.raises(WorkFailed, match="no layer inside of this network is a linear layer or a convolution"):
        changed(Others().eval(), {"low_rank": 0.9}, context((torch.randn(1, 4, 16),)))


@pytest.mark.parametrize("again", [False, True])
def test_the_products_of_an_encoder_are_called_where_one_kernel_would_read_their_weights(again: bool) -> None:
    def encoder() -> nn.Module:
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        for product in (layer.linear1, layer.linear2):
            of_rank(product, 2, 2)
        return nn.TransformerEncoder(layer, 2).eval()

    given = context((torch.randn(1, 4, 16),))
    made = changed(encoder(), {"low_rank": 0.99}, given)
    assert {name.split(".")[2] for name in given.record["ranks"]} == {"linear1", "linear2"}
    if again:
        made = find_technique("low_rank").rebuild(encoder(), given.record)
    batch, padding = torch.randn(2, 4, 16), torch.tensor([[False, False, False, True]] * 2)
    with torch.no_grad():
        found = made(batch, src_key_padding_mask=padding)
    torch.testing.assert_close(found, made(batch, src_key_padding_mask=padding))


def test_where_no_layer_gets_cheaper_the_trial_says_so() -> None:
    network = nn.Sequential(nn.Linear(16, 16))
    nn.init.orthogonal_(network[0].weight)  # type: ignore[arg-type]
    with pytest.raises(WorkFailed, match=r"^keeping 0\.9 of the energy makes none of the 1 linear layers"):
        changed(network, {"low_rank": 0.9}, context((torch.zeros(1, 16),)))


def test_a_network_that_is_only_tried_is_factored_whatever_its_weights_are() -> None:
    network = nn.Sequential(nn.Linear(16, 16))
    nn.init.orthogonal_(network[0].weight)  # type: ignore[arg-type]
    made = changed(network, {"low_rank": 0.9}, context((torch.zeros(1, 16),), trained=False))
    assert layers(made) == [(4, 16), (16, 4)]


@pytest.mark.parametrize("energy", [0, 1.2, True, "0.9"])
def test_an_energy_out_of_range_is_one_sentence(energy: object) -> None:
    with pytest.raises(
        RequestError, match=r"^low_rank cannot be .*; allowed is the share of energy kept, above 0 and up"
    ):
        make_space({"low_rank": [energy]}, Environment())
