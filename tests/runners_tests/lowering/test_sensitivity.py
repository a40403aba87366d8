"""Layers ranked by what quantising each alone costs, and those that are kept in floating point."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from runners_tests.lowering.uneven_network import Uneven

from runners.inputs import Arrays, ExampleInputs
from runners.lowering.onnx_export import export
from runners.lowering.onnx_session import open_session
from runners.lowering.quantisation import plain_graph, quantise_int8
from runners.lowering.sensitivity import (
    LAYERS,
    Sensitivity,
    most_sensitive,
    quantised_alone,
    quantised_layers,
    rank_layers,
)
from runners.quantisers.settings import QuantisationSettings

SHAPE = (3, 8, 8)


@pytest.fixture(scope="module")
def examples() -> list[Arrays]:
    """Calibration examples."""
    generator = np.random.default_rng(0)
    return [(generator.normal(size=(1, *SHAPE)).astype(np.float32),) for _ in range(16)]


@pytest.fixture(scope="module", params=["nncf", "onnxruntime"])
def files(
    request: pytest.FixtureRequest, examples: list[Arrays], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, Path, QuantisationSettings]:
    """The network as it was exported, as its nodes are quantised, and quantised; and the settings."""
    settings = QuantisationSettings(quantiser=request.param)
    return *_written(tmp_path_factory.mktemp(request.param), examples, settings), settings


def _written(folder: Path, examples: list[Arrays], settings: QuantisationSettings) -> tuple[Path, Path, Path]:
    exported, quantised = folder / "exported.onnx", folder / "quantised.onnx"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Uneven().eval()
    export(network, ExampleInputs.of(np.zeros((1, *SHAPE), np.float32)), exported)
    quantise_int8(exported, examples, quantised, settings)
    return exported, plain_graph(exported, folder, settings), quantised


def _weights(path: Path, layer: str) -> str:
    """Which of the weights a layer has: those of ``first``, ``second``, ..."""
    graph = onnx.load(path).graph
    makers = {name: node for node in graph.node for name in node.output}
    name = next(node for node in graph.node if node.name == layer).input[1]
    while name in makers:
        name = makers[name].input[0]
    return name.partition(".")[0]


def _rounded(path: Path) -> set[str]:
    """The layers whose weights are rounded."""
    graph = onnx.load(path).graph
    rounded = {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    return {node.name for node in graph.node if node.op_type in LAYERS and node.input[1] in rounded}


def test_the_layer_whose_input_has_an_outlier_is_the_most_sensitive(
    files: tuple[Path, Path, Path, QuantisationSettings], examples: list[Arrays]
) -> None:
    _, plain, quantised, _ = files
    ranked = rank_layers(plain, quantised, examples)
    assert _weights(plain, ranked[0].layer) == "second"
    assert ranked[0].cost > 10 * ranked[1].cost > 0
    assert len(ranked) == len(quantised_layers(onnx.load(plain), onnx.load(quantised))) >= 3


def test_one_layer_alone_reads_what_was_rounded(files: tuple[Path, Path, Path, QuantisationSettings]) -> None:
    _, plain, quantised, _ = files
    whole, rounded = onnx.load(plain), onnx.load(quantised)
    for layer in quantised_layers(whole, rounded):
        alone = quantised_alone(whole, rounded, layer)
        assert quantised_layers(whole, alone) == [layer]


def test_kept_layers_stay_in_floating_point_and_the_outputs_come_back(
    files: tuple[Path, Path, Path, QuantisationSettings], examples: list[Arrays], tmp_path: Path
) -> None:
    exported, plain, quantised, settings = files
    kept = most_sensitive(rank_layers(plain, quantised, examples), 0.25)
    quantise_int8(exported, examples, tmp_path / "mixed.onnx", replace(settings, kept=kept))
    mixed = tmp_path / "mixed.onnx"
    assert _rounded(mixed) == _rounded(quantised) - set(kept)

    def outputs(path: Path) -> np.ndarray:
        (found,) = open_session(path, 1).run(["output"], {"input": np.concatenate([each for (each,) in examples])})
        return found

    expected = outputs(exported)
    assert np.abs(outputs(mixed) - expected).max() < 0.2 * np.abs(outputs(quantised) - expected).max()


def test_a_share_is_at_least_one_layer() -> None:
    ranked = [Sensitivity(name, cost) for name, cost in (("c", 3.0), ("a", 2.0), ("b", 1.0), ("d", 0.5))]
    assert most_sensitive(ranked, 0.01) == ("c",)
    assert most_sensitive(ranked, 0.5) == ("c", "a")


def test_a_layer_whose_input_is_scaled_before_it_is_rounded_is_measured_with_its_scale(
    examples: list[Arrays], tmp_path: Path
) -> None:
    settings = QuantisationSettings(quantiser="nncf", correction="smooth-quant")
    _, plain, quantised = _written(tmp_path, examples, settings)
    scaled = [name for node in onnx.load(quantised).graph.node for name in node.output if "smooth" in name]
    assert scaled
    ranked = rank_layers(plain, quantised, examples)
    assert len(ranked) >= 3
    assert all(0 < each.cost < 0.5 for each in ranked)
