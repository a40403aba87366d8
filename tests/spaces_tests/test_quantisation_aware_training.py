"""Quantisation-aware training: folding, fake quantisers, what is stored, and what is written as ONNX."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from runners.inputs import ExampleInputs
from runners.lowering.onnx_export import export, is_quantised, round_weights
from runners.lowering.onnx_session import open_session
from runners.lowering.recipe import as_exported, recipe_of
from runners.lowering.weights import copy_network, load_network, save_network
from runners.stages.transforming import change_network
from spaces.model_context import ModelContext
from spaces.network_changes.batch_norm_folding import fold_batch_norms
from spaces.space_document import find_technique

SHAPE = (3, 16, 16)


pytestmark = pytest.mark.usefixtures("uncompiled")


class Residual(nn.Module):
    """A residual block, whose first convolution has no bias."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.pointwise = nn.Conv2d(8, 8, 1)
        self.norm_of_it = nn.BatchNorm2d(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inside = torch.relu(self.norm(self.depthwise(x)))
        return torch.relu(x + self.norm_of_it(self.pointwise(inside)))


def make_network() -> nn.Module:
    """A convolutional network as a `Sequential`, with statistics as those of a trained one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU())
        stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU6())
        network = nn.Sequential(stem, Residual(), Residual(), head, nn.Linear(16, 5))
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d):
                nn.init.uniform_(layer.running_mean, -0.2, 0.2)
                nn.init.uniform_(layer.running_var, 0.5, 2.0)
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.uniform_(layer.bias, -0.2, 0.2)
    return network.eval()


def examples(count: int) -> list[tuple[torch.Tensor, ...]]:
    """Inputs, the same each time."""
    generator = torch.Generator().manual_seed(1)
    return [(torch.randn(1, *SHAPE, generator=generator),) for _ in range(count)]


def aware() -> nn.Module:
    """The network with fake quantisers, as the stage ``transforming`` makes it."""
    (example,) = examples(1)
    context = ModelContext(example, 0, make_network, calibration=examples)
    return change_network(make_network(), find_technique("quantisation_aware_training"), {}, context)


def outputs(network: nn.Module, count: int = 16) -> torch.Tensor:
    """Of ``count`` inputs."""
    with torch.no_grad():
        return network(torch.cat([one for (one,) in examples(count)]))


def test_normalisations_are_folded_and_the_outputs_stay() -> None:
    network = make_network()
    before = outputs(network)
    pairs = fold_batch_norms(network, examples(1)[0])
    assert len(pairs) == 6
    assert not [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d)]
    assert torch.allclose(outputs(network), before, atol=1e-5)


class ReadTwice(nn.Module):
    """The output of its convolution is normalised, and read beside that too."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)
        nn.init.uniform_(self.norm.running_mean, 1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inside = self.layer(x)
        return (self.norm(inside) * inside).mean((2, 3))


class Shared(ReadTwice):
    """Its convolution is called twice, and normalised once."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.norm(self.layer(x)) + self.layer(2 * x)).mean((2, 3))


@pytest.mark.parametrize("make", [ReadTwice, Shared])
def test_a_normalisation_whose_input_is_read_elsewhere_stays(make: Any) -> None:
    network = make().eval()
    before = outputs(network)
    assert fold_batch_norms(network, examples(1)[0]) == []
    assert torch.equal(outputs(network), before)


def test_a_network_with_quantisers_rounds_and_comes_back_from_its_files_as_it_was(tmp_path: Path) -> None:
    network = aware()
    plain, rounded = outputs(make_network()), outputs(network)
    assert 1e-4 < (plain - rounded).abs().max() / plain.abs().max() < 0.2
    save_network(network, tmp_path)
    again = load_network(make_network, tmp_path)
    assert torch.equal(outputs(again), rounded)
    assert recipe_of(again) == recipe_of(network)


def test_weights_and_ranges_are_trained() -> None:
    network = aware().train()
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    optimiser = torch.optim.SGD(network.parameters(), 0.05)
    network(torch.cat([one for (one,) in examples(8)])).square().mean().backward()
    optimiser.step()
    moved = {name for name, parameter in network.named_parameters() if not torch.equal(parameter, before[name])}
    assert any(name.endswith("weight") for name in moved)
    assert any("scale" in name for name in moved)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path]:
    """The network with quantisers and the ONNX file that is written of it."""
    network, path = aware(), tmp_path_factory.mktemp("written") / "model.onnx"
    example = ExampleInputs.of(np.zeros((1, *SHAPE), np.float32))
    assert export(as_exported(copy_network(network, make_network)), example, path) == "", "the current exporter"
    round_weights(path)
    return network, path


def test_the_file_holds_int8_weights_and_computes_what_was_trained(written: tuple[nn.Module, Path]) -> None:
    import onnx

    network, path = written
    assert is_quantised(path)
    graph = onnx.load(path).graph
    made = {name: node for node in graph.node for name in node.output}
    stored = {one.name: one.data_type for one in graph.initializer}
    layers = [node for node in graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    assert len(layers) == 7
    for layer in layers:
        values, weights = (made[name] for name in layer.input[:2])
        values = made[values.input[0]] if values.op_type == "Reshape" else values
        assert [node.op_type for node in (values, weights)] == ["DequantizeLinear"] * 2
        assert stored[weights.input[0]] == onnx.TensorProto.INT8
    inputs = torch.cat([one for (one,) in examples(16)])
    (given,) = open_session(path, 1).run(["output"], {"input": inputs.numpy()})
    expected = outputs(network)
    assert (torch.from_numpy(given) - expected).abs().max() <= 0.03 * expected.abs().max()
