"""The blocks of a network: in the order in which it calls them, whatever the order and the names of its attributes."""

import torch
from torch import Tensor, nn
from torchvision import models

from runners.models.blocks import blocks
from runners.workloads.digits import SmallResidualNetwork


class HeadFirst(nn.Module):
    """Registers its head before its body, shares a layer, and holds a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)
        self.shift = nn.Parameter(torch.zeros(4))
        self.body = nn.ModuleList([nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 4)])

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.shift
        for layer in self.body:
            x = layer(x)
        return self.head(x)  # type: ignore[no-any-return]


def names(network: nn.Module, *shape: int) -> list[str]:
    found = blocks(network, (torch.zeros(2, *shape),))
    every = [name for block in found for name in block.parameters]
    assert sorted(every) == sorted(name for name, _ in network.named_parameters()), "each parameter is in one block"
    return [block.name for block in found]


def test_resnet18_has_its_stem_eight_residual_blocks_and_its_head() -> None:
    layers = [f"layer{number}.{block}" for number in range(1, 5) for block in range(2)]
    assert names(models.resnet18(num_classes=5), 3, 32, 32) == ["conv1", *layers, "fc"]


def test_a_part_that_holds_most_of_the_weights_is_taken_apart() -> None:
    network = models.VisionTransformer(32, 8, 4, 2, 16, 32, num_classes=3)
    layers = [f"encoder.layers.encoder_layer_{number}" for number in range(4)]
    assert names(network, 3, 32, 32) == ["conv_proj", *layers, "heads.head"]


def test_the_head_is_what_is_called_last_and_a_loose_parameter_belongs_to_the_first_block() -> None:
    network = HeadFirst()
    assert names(network, 4) == ["body.0", "body.2", "head"]
    assert "shift" in blocks(network, (torch.zeros(2, 4),))[0].parameters
    assert "body.1.weight" in blocks(network, (torch.zeros(2, 4),))[0].parameters


def test_the_mode_of_the_network_stays() -> None:
    network = SmallResidualNetwork().train()
    network.stem.eval()
    names(network, 1, 32, 32)
    assert network.training
    assert not network.stem.training
