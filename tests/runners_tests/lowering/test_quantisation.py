"""Quantisation to int8 after training: what each choice changes in the file, and bad calibration data."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from runners.backends import find_backend
from runners.inputs import ExampleInputs, one_by_one
from runners.lowering.onnx_export import export
from runners.lowering.onnx_session import open_session
from runners.lowering.quantisation import quantise_int8
from runners.quantisers.graph_preparation import prepare
from runners.quantisers.of_onnxruntime import divisor
from runners.quantisers.settings import QuantisationSettings
from runners.runner import StageFailed

INPUTS = np.random.default_rng(0).normal(size=(24, 3, 16, 16)).astype(np.float32)
Quantise = Callable[..., Path]


class Block(nn.Module):
    """A linear bottleneck with a depthwise convolution, ReLU6, SiLU and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.widen = nn.Sequential(nn.Conv2d(channels, 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6())
        self.depthwise = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1, groups=32), nn.BatchNorm2d(32), nn.SiLU())
        self.narrow = nn.Conv2d(32, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = x + self.narrow(self.depthwise(self.widen(x)))
        return added


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    stem = (nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU())
    network = nn.Sequential(*stem, Block(16), Block(16), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4))
    path = tmp_path_factory.mktemp("plain") / "plain.onnx"
    export(network.eval(), ExampleInputs.of(INPUTS[:1]), path)
    return path


@pytest.fixture
def quantise(plain: Path, tmp_path: Path) -> Quantise:
    def write(settings: dict[str, Any], images: np.ndarray = INPUTS) -> Path:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.onnx"
        quantise_int8(plain, one_by_one(images), path, QuantisationSettings.of(settings))
        return path

    return write


def answer(path: Path) -> np.ndarray:
    found: np.ndarray = open_session(path, 1).run(["output"], {"input": INPUTS})[0]
    return found


def kernels(path: Path, folder: Path) -> Counter[str]:
    """How many kernels of each kind ONNX Runtime runs for the graph."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(folder / "optimised.onnx").graph.node)


def constants(path: Path, operation: str) -> list[np.ndarray]:
    """The zero points of all nodes of one kind."""
    graph = onnx.load(path).graph
    values = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    return [values[node.input[2]] for node in graph.node if node.op_type == operation]


def test_what_onnx_runtime_is_given_by_default_leaves_no_convolution_in_floating_point(
    quantise: Quantise, tmp_path: Path
) -> None:
    of_nncf = kernels(quantise({"quantiser": "nncf"}), tmp_path)
    by_default = kernels(quantise(dict(find_backend("onnxruntime").quantisation)), tmp_path)
    assert of_nncf["Conv"] + of_nncf["FusedConv"] > 0  # why it was slower than fp32
    assert by_default["Conv"] + by_default["FusedConv"] == 0
    assert by_default["QLinearConv"] == 7
    assert by_default["QuickGelu"] == 2  # SiLU stays one kernel
    assert by_default["QLinearGlobalAveragePool"] == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"quantiser": "nncf"},
        {"quantiser": "nncf", "range": "min-max", "weights": "per-tensor"},
        {"quantiser": "nncf", "range": "histogram", "activations": "asymmetric"},
        {"quantiser": "nncf", "range": "percentile", "reduced_range": True},
        {"quantiser": "nncf", "correction": "smooth-quant"},
        {"quantiser": "nncf", "correction": "none", "depthwise": "per-tensor"},
        {"quantiser": "onnxruntime"},
        {"quantiser": "onnxruntime", "range": "mean-min-max", "activations": "symmetric"},
        {"quantiser": "onnxruntime", "range": "percentile", "weights": "per-tensor"},
        {"quantiser": "onnxruntime", "range": "entropy", "preparation": "none"},
        {"quantiser": "onnxruntime-dynamic", "weights": "per-channel", "reduced_range": True},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_each_choice_gives_the_networks_outputs_and_prints_nothing(
    settings: dict[str, Any], quantise: Quantise, plain: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    expected, given = answer(plain), answer(quantise(settings))
    assert np.abs(given - expected).max() < 0.5 * np.abs(expected).max()  # mean-min-max clips outliers
    assert not np.array_equal(given, expected)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("quantiser", ["nncf", "onnxruntime"])
@pytest.mark.parametrize(
    "changed",
    [
        {"range": "percentile"},
        {"activations": "symmetric"},
        {"activations": "asymmetric"},
        {"weights": "per-tensor"},
        {"reduced_range": True},
        {"correction": "none"},
    ],
    ids=lambda changed: "-".join(map(str, changed.values())),
)
def test_a_choice_changes_the_quantised_network_unless_it_is_the_default(
    quantiser: str, changed: dict[str, Any], quantise: Quantise
) -> None:
    by_default = {("nncf", "symmetric"), ("onnxruntime", "asymmetric"), ("onnxruntime", "none")}
    same = np.array_equal(
        answer(quantise({"quantiser": quantiser})), answer(quantise({"quantiser": quantiser} | changed))
    )
    assert same == ((quantiser, next(iter(changed.values()))) in by_default)


def test_onnx_runtimes_activations_are_unsigned_and_with_symmetric_ones_signed(quantise: Quantise) -> None:
    for activations, kind in (("default", np.uint8), ("symmetric", np.int8)):
        path = quantise({"quantiser": "onnxruntime", "activations": activations})
        points = constants(path, "QuantizeLinear")
        assert {point.dtype for point in points} == {np.dtype(kind)}
        assert any(point.any() for point in points) == (kind is np.uint8)


def test_the_prepared_graph_gives_the_same_outputs(plain: Path, tmp_path: Path) -> None:
    for fused in (True, False):
        assert np.allclose(answer(prepare(plain, tmp_path, fused=fused)), answer(plain), atol=1e-5)


def test_openvino_reads_what_onnx_runtimes_tools_write(quantise: Quantise, plain: Path) -> None:
    import openvino

    model = openvino.Core().compile_model(quantise({"quantiser": "onnxruntime"}), "CPU")
    expected = answer(plain)
    assert np.abs(model(INPUTS)[0] - expected).max() < 0.25 * np.abs(expected).max()


@pytest.mark.parametrize("quantiser", ["nncf", "onnxruntime"])
def test_examples_that_are_all_alike_or_constant_still_give_a_network(quantiser: str, quantise: Quantise) -> None:
    for images in (np.repeat(INPUTS[:1], 8, axis=0), np.zeros_like(INPUTS[:8])):
        assert np.isfinite(answer(quantise({"quantiser": quantiser}, images))).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_calibration_examples_with_nan_are_refused_in_one_sentence(bad: float, quantise: Quantise) -> None:
    images = INPUTS.copy()
    images[2, 0, 3, 3] = images[5, 1, 1, 1] = bad
    with pytest.raises(StageFailed, match="2 of the 24 calibration examples have NaN or infinite numbers"):
        quantise({"quantiser": "onnxruntime"}, images)


@pytest.mark.parametrize("quantiser", ["nncf", "onnxruntime", "onnxruntime-dynamic"])
def test_a_network_of_operations_that_no_quantiser_knows_is_refused_with_their_names(
    quantiser: str, tmp_path: Path
) -> None:
    export(nn.Sequential(nn.Softplus(), nn.Flatten()).eval(), ExampleInputs.of(INPUTS[:1]), tmp_path / "plain.onnx")
    with pytest.raises(
        StageFailed, match=r"no operation to quantise.*leaves Greater, Reshape, Softplus, Where in floating point"
    ):
        quantise_int8(
            tmp_path / "plain.onnx", one_by_one(INPUTS), tmp_path / "int8.onnx", QuantisationSettings(quantiser)
        )


@pytest.mark.parametrize("quantiser", ["onnxruntime", "onnxruntime-dynamic"])
def test_onnx_runtimes_tools_need_no_nncf(
    quantiser: str, quantise: Quantise, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    assert not np.array_equal(answer(quantise({"quantiser": quantiser})), answer(plain))


def test_histograms_hold_a_few_examples_in_memory_at_once() -> None:
    assert [divisor(count, 8) for count in (128, 30, 7, 13, 1)] == [8, 6, 7, 1, 1]
