"""Heads of attention leave, those that matter least; what is left computes what it should, and runs everywhere."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import MaxVit, SwinTransformer, VisionTransformer
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

from runners.inputs import ExampleInputs
from runners.lowering.onnx_export import export
from runners.lowering.onnx_session import open_session
from runners.lowering.weights import load_network, save_network
from runners.stages.transforming import change_network
from spaces.attention.heads import keep_heads, layers_with_heads, lowest_heads
from spaces.errors import WorkFailed
from spaces.model_context import ModelContext
from spaces.techniques.attention_heads import TECHNIQUE
from spaces.techniques.channel_pruning import TECHNIQUE as CHANNEL_PRUNING

swin = partial(SwinTransformer, [4, 4], 16, [2, 2], [2, 4], [4, 4], num_classes=3)
FAMILIES: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "vit": (partial(VisionTransformer, 16, 8, 2, 4, 16, 32, num_classes=3), 16),
    "swin": (swin, 36),
    "swin of the second version": (
        partial(swin, block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2),
        36,
    ),
    "maxvit": (partial(MaxVit, (32, 32), 16, 4, [16, 32], [1, 1], 4, 0.0, num_classes=3), 32),
}
PROJECTIONS = ("out_proj", "proj", "merge")


def made(family: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """A network with weights that all matter, and an example."""
    build, side = FAMILIES[family]
    torch.manual_seed(0)
    network = build().eval()
    for name, parameter in network.named_parameters():
        if parameter.dim() < 2 or name.endswith(("table", "heads.head.weight", "logit_scale")):
            nn.init.normal_(parameter, 0.5, 0.5)
    return network, (torch.randn(1, 3, side, side),)


def projection(layer: Any) -> Any:
    return next(child for name, child in layer.named_children() if name in PROJECTIONS)


def silence(network: nn.Module) -> dict[str, list[int]]:
    """Let nobody read every other head, the first one of each pair; those that stay."""
    kept = {}
    for name, number in layers_with_heads(network).items():
        reads = projection(network.get_submodule(name))
        width = reads.in_features // number
        with torch.no_grad():
            for head in range(0, number, 2):
                reads.weight[:, head * width : (head + 1) * width] = 0
        kept[name] = [*range(1, number, 2)]
    return kept


def stored(family: str, folder: Path) -> tuple[nn.Module, nn.Module, Tensor]:
    """A network with half of its heads, the same read from a file, and three inputs."""
    network, inputs = made(family)
    changed = change_network(network, TECHNIQUE, {"attention_heads": 0.5}, context(network, inputs))
    save_network(changed, folder)
    build, side = FAMILIES[family]
    return changed, load_network(build, folder), torch.randn(3, 3, side, side)


def context(network: nn.Module, inputs: tuple[Tensor, ...]) -> ModelContext:
    return ModelContext(inputs, 0, lambda: network)


@pytest.mark.parametrize("family", FAMILIES)
def test_heads_that_nobody_reads_leave_and_the_outputs_stay(family: str) -> None:
    network, inputs = made(family)
    kept, before = silence(network), sum(parameter.numel() for parameter in network.parameters())
    with torch.no_grad():
        expected = network(*inputs)
    found = context(network, inputs)
    TECHNIQUE.apply(network, {"attention_heads": 0.5}, found)
    assert found.record == {"kept": kept}
    with torch.no_grad():
        torch.testing.assert_close(network(*inputs), expected, atol=1e-5, rtol=1e-4)
    assert sum(parameter.numel() for parameter in network.parameters()) < before


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_stored_and_trained(family: str, tmp_path: Path) -> None:
    network, again, batch = stored(family, tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(again(batch), network(batch))
    again.train()(batch).square().sum().backward()
    assert all(parameter.grad is not None for parameter in again.parameters())


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("family", ["vit", *(pytest.param(f, marks=pytest.mark.slow) for f in FAMILIES if f != "vit")])
def test_every_exporter_takes_it(family: str, tmp_path: Path) -> None:
    _, network, batch = stored(family, tmp_path)
    with torch.no_grad():
        expected = network(batch)
        traced = torch.jit.trace(network, batch[:1])
        torch.testing.assert_close(traced(batch), expected, atol=1e-5, rtol=1e-4)
        program = torch.export.export(network, (batch,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
        torch.testing.assert_close(program.module()(batch[:2]), expected[:2], atol=1e-5, rtol=1e-4)
    assert export(network, ExampleInputs.of(batch[:1].numpy()), tmp_path / "model.onnx") == ""
    (found,) = open_session(tmp_path / "model.onnx", 1).run(None, {"input": batch.numpy()})
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("family", ["vit", "swin", "maxvit"])
def test_channels_leave_after_heads(family: str) -> None:
    network, inputs = made(family)
    TECHNIQUE.apply(network, {"attention_heads": 0.5}, context(network, inputs))
    before = sum(parameter.numel() for parameter in network.parameters())
    CHANNEL_PRUNING.apply(network, {"channel_pruning": 0.5}, context(network, inputs))
    assert sum(parameter.numel() for parameter in network.parameters()) < before
    with torch.no_grad():
        assert network(torch.cat(inputs * 2)).shape == (2, 3)


MASKS: dict[str, Callable[[], dict[str, Tensor]]] = {
    "none": dict,
    "causal": lambda: {"attn_mask": torch.ones(5, 5).triu(1).bool()},
    "numbers": lambda: {"attn_mask": torch.randn(5, 5)},
    "of each head": lambda: {"attn_mask": torch.randn(2 * 4, 5, 5) > 1.5},
    "padding": lambda: {"key_padding_mask": torch.tensor([[False] * 5, [False] * 3 + [True] * 2])},
    "both": lambda: {
        "attn_mask": torch.randn(5, 5),
        "key_padding_mask": torch.tensor([[False] * 5, [True] + [False] * 4]),
    },
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_masks_and_weights_are_those_of_pytorch(mask: str, batch_first: bool, bias: bool) -> None:
    """Two of four heads, where nobody reads the others."""
    torch.manual_seed(0)
    whole = nn.MultiheadAttention(16, 4, bias=bias, batch_first=batch_first).eval()
    with torch.no_grad():
        whole.out_proj.weight[:, 4:12] = 0
    network = nn.Sequential(nn.MultiheadAttention(16, 4, bias=bias, batch_first=batch_first)).eval()
    network[0].load_state_dict(whole.state_dict())
    keep_heads(network, {"0": [0, 3]})
    masks, x, other = MASKS[mask](), torch.randn(2, 5, 16), torch.randn(2, 5, 16)
    if not batch_first:
        x, other = x.transpose(0, 1), other.transpose(0, 1)
    for inputs in ((x, x, x), (x, other, other), (x, other, x)):
        for options in ({"need_weights": False}, {"average_attn_weights": False}):
            expected, shares = whole(*inputs, **masks, **options)
            found, own = network[0](*inputs, **masks, **options)
            torch.testing.assert_close(found, expected)
            assert (shares is None) == (own is None)
            if own is not None:
                torch.testing.assert_close(own, shares[:, [0, 3]])
                averaged = network[0](*inputs, **masks)[1]
                torch.testing.assert_close(averaged, own.mean(1))


def test_one_sequence_without_a_batch_is_taken_too() -> None:
    network, x = nn.Sequential(nn.MultiheadAttention(16, 4)).eval(), torch.randn(5, 16)
    keep_heads(network, {"0": [1]})
    found, shares = network[0](x, x, x)
    assert (found.shape, shares.shape) == ((5, 16), (5, 5))


class Encoder(nn.Module):
    """Token ids and what is padding, through PyTorch's encoder with all of its fast paths."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 16)
        layer = nn.TransformerEncoderLayer(16, 4, 32, 0.0, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(16, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.head(self.encoder(self.embedding(tokens), src_key_padding_mask=tokens == 0)[:, 0])
        return found


def test_the_encoder_of_pytorch_takes_none_of_its_short_cuts(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, tokens = Encoder().eval(), torch.tensor([[3, 4, 5, 6, 0, 0], [7, 8, 9, 1, 2, 3]])
    kept = silence(network)
    with torch.no_grad():
        expected = network(tokens)
    found = ModelContext((tokens[:1],), 0, Encoder)
    changed = change_network(network, TECHNIQUE, {"attention_heads": 0.5}, found)
    assert found.record == {"kept": kept}
    save_network(changed, tmp_path)
    again = load_network(Encoder, tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(again(tokens), expected)
        torch.testing.assert_close(again.train()(tokens), expected)


def test_the_loss_of_the_examples_says_what_a_head_is_worth() -> None:
    """All heads are read, and the loss looks at the last output alone, which reads the last head."""

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(16, 4, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.attention(x, x, x, need_weights=False)[0]
            return found

    torch.manual_seed(0)
    network, x = Network().eval(), torch.randn(1, 5, 16)
    with torch.no_grad():
        network.attention.out_proj.weight[15, :12] = 0

    def losses(network: Any, count: int) -> Iterator[Tensor]:
        yield from (network(x)[0, :, 15].sum() * sign for sign in (1, -1))

    found = ModelContext((x,), 0, Network, losses=losses)
    TECHNIQUE.apply(network, {"attention_heads": 0.75}, found)
    assert found.record == {"kept": {"attention": [3]}}


def test_the_best_head_of_each_layer_stays() -> None:
    scores = {"first": torch.tensor([0.1, 0.2]), "second": torch.tensor([0.9, 0.3, 0.8])}
    assert lowest_heads(scores, 1) == {"first": [1]}
    assert lowest_heads(scores, 2) == {"first": [1], "second": [0, 2]}
    assert lowest_heads(scores, 9) == {"first": [1], "second": [0]}


def test_frozen_attention_stays_frozen() -> None:
    network, inputs = made("vit")
    network.requires_grad_(False)
    TECHNIQUE.apply(network, {"attention_heads": 0.5}, context(network, inputs))
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (nn.Sequential(nn.Linear(4, 4)), "no attention whose heads can be removed"),
        (Encoder(), "removes none: there are 8 in 2 layers"),
    ],
)
def test_what_cannot_lose_a_head_is_told_in_one_sentence(network: nn.Module, reason: str) -> None:
    with pytest.raises(WorkFailed, match=reason):
        TECHNIQUE.apply(network, {"attention_heads": 0.01}, context(network, (torch.tensor([[1, 2]]),)))
