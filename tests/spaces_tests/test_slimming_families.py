"""Networks that reshape their features on the way: channel shuffles, windows and heads are slimmed and still right."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import ShuffleNetV2, SwinTransformer, VisionTransformer
from torchvision.models.maxvit import RelativePositionalMultiHeadAttention

from spaces.errors import WorkFailed
from spaces.slimming.slim import slim


class Windows(nn.Module):
    """MaxViT's attention, whose reshapes are written with the number and the width of its heads, and an MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 1, 1)
        self.attention = RelativePositionalMultiHeadAttention(32, 16, 16)
        self.mlp = nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))
        self.head = nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        n, channels, height, width = x.shape
        x = x.reshape(n, channels, height // 4, 4, width // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(n, -1, 16, channels)
        x = x + self.attention(x)
        return self.head((x + self.mlp(x)).mean((1, 2)))


class Mixed(nn.Module):
    """PyTorch's own shuffle between two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3))
        self.shuffle, self.last = nn.ChannelShuffle(4), nn.Conv2d(16, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.shuffle(self.inner(x))).mean((2, 3))


BUILDERS = {
    "shufflenet": partial(ShuffleNetV2, [2, 2, 2], [8, 16, 32, 64, 64], num_classes=3),
    "vit": partial(VisionTransformer, 16, 8, 2, 2, 16, 32, num_classes=3),
    "swin": partial(SwinTransformer, [4, 4], 16, [2, 2], [2, 2], [4, 4], num_classes=3),
    "windows": Windows,
    "mixed": Mixed,
}


def inputs_of(family: str) -> tuple[Tensor, ...]:
    side = 32 if family in ("shufflenet", "swin") else 16
    return (torch.randn(1, 3, side, side),)


def made(family: str) -> nn.Module:
    """With every other channel of what is slimmed at zero."""
    torch.manual_seed(0)
    network = BUILDERS[family]().eval()
    layers: list[nn.Module] = []
    if isinstance(network, ShuffleNetV2):
        for block in (*network.stage2, *network.stage3, *network.stage4):
            layers += [block.branch2[0], block.branch2[1], block.branch2[4]]
        layers += [*network.conv1[:2], *network.conv5[:2]]
    elif isinstance(network, VisionTransformer):
        layers += [block.mlp[0] for block in network.encoder.layers]
        nn.init.normal_(network.heads[0].weight)
    elif isinstance(network, SwinTransformer):
        layers += [block.mlp[0] for stage in (network.features[1], network.features[3]) for block in stage]
    else:
        layers += [network.mlp[1]] if isinstance(network, Windows) else [network.inner[0]]  # type: ignore[index]
    with torch.no_grad():
        for layer in layers:
            for parameter in layer.parameters():
                parameter[1::2] = 0
    return network


@pytest.mark.parametrize("family", BUILDERS)
def test_channels_that_give_nothing_leave_without_a_change(family: str) -> None:
    network, inputs = made(family), inputs_of(family)
    before = sum(parameter.numel() for parameter in network.parameters())
    with torch.no_grad():
        expected = network(*inputs)
        slim(network, inputs, keep=0.5)
        torch.testing.assert_close(network(*inputs), expected)
    assert sum(parameter.numel() for parameter in network.parameters()) < 0.95 * before


@pytest.mark.parametrize("family", BUILDERS)
def test_a_new_network_is_narrowed_throughout_and_can_be_trained(family: str) -> None:
    network, inputs = made(family), inputs_of(family)
    before = {name: parameter.shape for name, parameter in network.named_parameters()}
    slim(network, inputs, keep=0.5, new=True)
    after = {name: parameter.shape for name, parameter in network.named_parameters()}
    tables = ("relative_position_bias_table",)  # a row for each place and a column for each head
    kept = [name for name, shape in before.items() if after[name] == shape and not name.endswith(tables)]
    assert kept == [name for name in before if name.endswith("bias") and before[name] == (3,)]
    outputs = network.train()(torch.cat(inputs * 2))
    outputs.sum().backward()
    assert outputs.shape == (2, 3)


def test_numbers_of_channels_beside_the_layers_follow() -> None:
    network = BUILDERS["vit"]()
    slim(network, inputs_of("vit"), keep=0.5, new=True)
    assert network.hidden_dim == network.conv_proj.out_channels == 8  # type: ignore[union-attr]


@pytest.mark.parametrize("new", [False, True])
def test_where_rounding_removes_nothing_that_is_the_reason(new: bool) -> None:
    with pytest.raises(WorkFailed, match="removes none"):
        slim(Windows(), inputs_of("windows"), keep=0.97, new=new)
