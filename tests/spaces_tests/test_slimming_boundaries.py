"""Networks of several kinds of layers are slimmed around what cannot be: the right channels leave, in silence."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torchvision.models import SwinTransformer

from spaces.errors import WorkFailed
from spaces.slimming.slim import slim


class Recurrent(nn.Module):
    """As people write it: the last states of both directions, and a head."""

    def __init__(self, layer: type[nn.RNNBase]) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 16))
        self.recurrent = layer(16, 24, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 3))

    def forward(self, x: Tensor) -> Tensor:
        _, last = self.recurrent(torch.relu(self.body(x)))
        last = last[0] if isinstance(last, tuple) else last
        assert last.shape[-1] == self.recurrent.hidden_size
        return self.head(torch.cat([last[0], last[1]], 1))


class Stacked(nn.Module):
    """Two levels in both directions, of which the last step of the last one is used."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.GRU(4, 16, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.recurrent(x)[0][:, -1])


class Packed(nn.Module):
    """Sequences of different lengths, packed; and the outputs of all steps."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(4, 8, batch_first=True)
        self.head = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))

    def forward(self, x: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([x.shape[1] - 1] * len(x)), batch_first=True)
        every, _ = nn.utils.rnn.pad_packed_sequence(self.recurrent(packed)[0], batch_first=True)
        return self.head(every.mean(1))


class Reader(nn.Module):
    """Token ids and a mask through a transformer encoder."""

    def __init__(self, norm_first: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 16, padding_idx=0)
        layer = nn.TransformerEncoderLayer(16, 2, 32, 0.1, batch_first=True, norm_first=norm_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 3))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        hidden = self.encoder(self.embedding(tokens), src_key_padding_mask=~mask)
        kept = mask.unsqueeze(-1).to(hidden.dtype)
        return self.head((hidden * kept).sum(1) / kept.sum(1))


class OwnAttention(nn.Module):
    """Attention as people write it themselves, around an MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(16, 16) for _ in range(4))
        self.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        n, length, _ = x.shape
        q, k, v = (p(x).view(n, length, 2, -1).transpose(1, 2) for p in (self.query, self.key, self.value))
        shares = (q @ k.transpose(-2, -1) / 8**0.5).softmax(-1)
        x = x + self.out((shares @ v).transpose(1, 2).reshape(n, length, -1))
        return self.head((x + self.mlp(x)).mean(1))


class TwoInputs(nn.Module):
    """Numbers beside a picture; the numbers come first, where a lost offset shows."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Sequential(nn.Linear(21, 32), nn.ReLU(), nn.Linear(32, 3))

    def forward(self, image: Tensor, numbers: Tensor) -> Tensor:
        return self.head(torch.cat([numbers, self.picture(image)], 1))


class Normed(nn.Module):
    """A layer whose weight is computed at every call."""

    def __init__(self) -> None:
        super().__init__()
        self.body = weight_norm(nn.Linear(8, 16))
        self.head = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.body(x)))


TOKENS = torch.tensor([[3, 4, 5, 6, 7, 0]])
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[Tensor, ...]]] = {
    "gru": (lambda: Recurrent(nn.GRU), (torch.randn(1, 6, 4),)),
    "lstm": (lambda: Recurrent(nn.LSTM), (torch.randn(1, 6, 4),)),
    "stacked gru": (Stacked, (torch.randn(1, 6, 4),)),
    "packed lstm": (Packed, (torch.randn(1, 6, 4),)),
    "transformer": (Reader, (TOKENS, TOKENS > 0)),
    "transformer that norms first": (lambda: Reader(norm_first=True), (TOKENS, TOKENS > 0)),
    "attention of one's own": (OwnAttention, (torch.randn(1, 6, 16),)),
    "two inputs": (TwoInputs, (torch.randn(1, 1, 8, 8), torch.randn(1, 5))),
    "weight norm": (Normed, (torch.randn(1, 8),)),
}


def hidden_layers(network: nn.Module) -> list[Any]:
    """The layers that are slimmed: those whose width is 32, and the convolution of the two inputs."""
    return [m for m in network.modules() if getattr(m, "out_features", 0) == 32 or isinstance(m, nn.Conv2d)]


@pytest.mark.parametrize(("build", "inputs"), NETWORKS.values(), ids=NETWORKS)
def test_channels_of_no_weight_leave_without_a_change_and_without_a_word(
    build: Callable[[], nn.Module], inputs: tuple[Tensor, ...]
) -> None:
    torch.manual_seed(0)
    network = build().eval()
    with torch.no_grad():
        for layer in hidden_layers(network):
            layer.weight[1::2] = 0
            layer.bias[1::2] = 0
        for layer in network.modules():
            for parameter in layer.parameters() if isinstance(layer, nn.RNNBase) else ():
                parameter[1::2] = 0  # every other unit of each gate
        expected = network(*inputs)
    widths = [layer.weight.shape[0] for layer in hidden_layers(network)]
    slimmed, recurrent = hidden_layers(network), [m for m in network.modules() if isinstance(m, nn.RNNBase)]
    units = [layer.hidden_size for layer in recurrent]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        slim(network, inputs, keep=0.5)
    assert [layer.weight.shape[0] for layer in slimmed] == [width // 2 for width in widths]
    assert [layer.hidden_size for layer in recurrent] == [number // 2 for number in units]
    with torch.no_grad():
        torch.testing.assert_close(network(*inputs), expected)
        twice = network(*(torch.cat([tensor, tensor]) for tensor in inputs))
    torch.testing.assert_close(twice[1:], expected)


@pytest.mark.parametrize(("build", "inputs"), NETWORKS.values(), ids=NETWORKS)
def test_a_new_network_is_narrowed_and_answers_while_it_is_trained(
    build: Callable[[], nn.Module], inputs: tuple[Tensor, ...]
) -> None:
    torch.manual_seed(0)
    network = build()
    before = sum(parameter.numel() for parameter in network.parameters())
    slim(network, inputs, keep=0.5, new=True)
    assert sum(parameter.numel() for parameter in network.parameters()) < before
    outputs = network.train()(*inputs)
    outputs.sum().backward()
    assert outputs.shape == (1, 3)


@dataclass
class Answer:
    logits: Tensor
    features: Tensor


class Wrapped(nn.Module):
    """What is judged of a network that gives a dataclass."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.judged_network = network

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.judged_network(x).logits
        return logits


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.trunk = nn.Linear(8, 32), nn.Linear(32, 16)
        self.head, self.other = nn.Linear(16, 3), nn.Linear(16, 12)

    def forward(self, x: Tensor) -> Answer:
        hidden = self.trunk(torch.relu(self.body(x)))
        return Answer(self.head(hidden), self.other(hidden))


def test_what_is_not_judged_keeps_its_size_too() -> None:
    network = TwoHeads()
    slim(Wrapped(network), (torch.randn(1, 8),), keep=0.5)
    assert (network.body.out_features, network.trunk.out_features) == (16, 8)
    assert network(torch.randn(2, 8)).features.shape == (2, 12)


class Flattened(nn.Module):
    """A sequence in one row: of a GRU the channels lie inside the steps, of a convolution around them."""

    def __init__(self, first: nn.Module) -> None:
        super().__init__()
        self.first, self.head = first, nn.Linear(16 * 6, 3)

    def forward(self, x: Tensor) -> Tensor:
        found = self.first(x)
        return self.head(torch.relu(found[0] if isinstance(found, tuple) else found).flatten(1))


def test_channels_that_are_flattened_leave_only_where_the_right_inputs_would() -> None:
    outside, inside = Flattened(nn.Conv1d(6, 16, 3)).eval(), Flattened(nn.GRU(8, 16, batch_first=True)).eval()
    x = torch.randn(1, 6, 8)
    with torch.no_grad():
        outside.first.weight[1::2], outside.first.bias[1::2] = 0, 0  # type: ignore[index, operator]
        expected = outside(x)
        slim(outside, (x,), keep=0.5)
        torch.testing.assert_close(outside(x), expected)
    assert outside.first.out_channels == 8
    with pytest.raises(WorkFailed, match="removes none"):
        slim(inside, (x,), keep=0.5)
    slim(inside, (x,), keep=0.5, new=True)
    assert inside.first.hidden_size == 8


@pytest.mark.parametrize("new", [False, True])
def test_around_shifted_windows_which_use_weights_without_calling_a_layer_the_rest_is_slimmed(
    new: bool,
) -> None:
    """Torch-pruning alone follows their reshapes for ever."""
    torch.manual_seed(0)
    network, x = SwinTransformer([4, 4], 16, [1, 1], [2, 2], [4, 4], num_classes=3).eval(), torch.randn(1, 3, 32, 32)
    hidden = [block.mlp[0] for stage in (network.features[1], network.features[3]) for block in stage]
    with torch.no_grad():
        for layer in hidden:
            layer.weight[1::2], layer.bias[1::2] = 0, 0
        expected = network(x)
        slim(network, (x,), keep=0.5, new=new)
        assert [layer.out_features for layer in hidden] == [32, 64]
        if not new:
            torch.testing.assert_close(network(x), expected)


class HalfFixed(nn.Module):
    """One of its layers is used in a way that depends on its size."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(8, 32), nn.Linear(32, 32), nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.second(torch.relu(self.first(x)).reshape(-1, 32))))


def test_a_layer_whose_change_breaks_the_network_is_left_alone_and_the_rest_is_slimmed() -> None:
    network = HalfFixed()
    network.second.requires_grad_(False)
    slim(network, (torch.randn(1, 8),), keep=0.5)
    assert (network.first.out_features, network.second.out_features) == (32, 16)
    assert not network.second.weight.requires_grad
    assert network(torch.randn(2, 8)).shape == (2, 3)


class FirstState(nn.Module):
    """The size of its first state is written into it."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.head = nn.GRU(4, 16, batch_first=True), nn.Sequential(nn.Linear(16, 32), nn.Linear(32, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(x, torch.zeros(1, len(x), 16))[0][:, -1])


def test_a_recurrent_layer_that_cannot_be_narrowed_is_as_it_was_and_the_rest_is_slimmed() -> None:
    network, x = FirstState().eval(), torch.randn(1, 6, 4)
    with torch.no_grad():
        network.head[0].weight[1::2], network.head[0].bias[1::2] = 0, 0
        expected = network(x)
        slim(network, (x,), keep=0.5)
        torch.testing.assert_close(network(x), expected)
    assert (network.gru.hidden_size, network.head[0].out_features) == (16, 16)


def test_where_everything_is_left_alone_the_reason_names_it() -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention, self.head = nn.MultiheadAttention(16, 2, batch_first=True), nn.Linear(16, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.attention(x, x, x)[0].mean(1))

    network = Bare()
    with pytest.raises(WorkFailed, match=r"removes none.*, and MultiheadAttention layers are left as they are"):
        slim(network, (torch.randn(1, 6, 16),), keep=0.5)
    assert isinstance(network.attention, nn.MultiheadAttention)
