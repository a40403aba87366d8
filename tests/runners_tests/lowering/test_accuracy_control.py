"""Layers go back to floating point, one after another, until the answers are those of the plain network again."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from runners_tests.lowering.uneven_network import Uneven

from runners.inputs import Arrays, ExampleInputs
from runners.lowering.onnx_export import export
from runners.lowering.quantisation import quantise_int8
from runners.lowering.sensitivity import quantised_layers
from runners.quantisers.accuracy_control import Agreement
from runners.quantisers.settings import QuantisationSettings
from runners.runner import StageFailed

IMAGES = np.random.default_rng(0).normal(size=(64, 3, 8, 8)).astype(np.float32)
EXAMPLES: list[Arrays] = [(image[None],) for image in IMAGES]
INPUTS = [{"input": image[None]} for image in IMAGES]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Uneven().eval()
    with torch.no_grad():  # else every image has the same class
        network.last.bias -= network(torch.from_numpy(IMAGES)).mean(0)
    path = tmp_path_factory.mktemp("plain") / "plain.onnx"
    export(network, ExampleInputs.of(IMAGES[:1]), path)
    return path


def quantised(plain: Path, folder: Path, allowed: float) -> onnx.ModelProto:
    path = folder / f"{allowed}.onnx"
    quantise_int8(plain, EXAMPLES, path, QuantisationSettings("nncf", accuracy_control=allowed))
    return onnx.load(path)


def test_as_many_layers_stay_in_floating_point_as_it_takes(plain: Path, tmp_path: Path) -> None:
    whole, agreement = onnx.load(plain), Agreement(onnx.load(plain), INPUTS)
    found = {allowed: quantised(plain, tmp_path, allowed) for allowed in (0.0, 0.1, 0.05)}
    answered = {allowed: agreement(model, range(len(INPUTS)))[0] for allowed, model in found.items()}
    layers = {allowed: quantised_layers(whole, model) for allowed, model in found.items()}
    assert answered[0.0] < 0.5
    assert answered[0.1] >= 0.9
    assert answered[0.05] >= 0.95
    assert len(layers[0.0]) == 4 > len(layers[0.1]) == 3 > len(layers[0.05]) > 0
    assert set(layers[0.0]) - set(layers[0.1]) == {"node_conv2d_1"}  # the one whose input has an outlier


def test_where_no_layer_may_be_quantised_it_is_one_sentence(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match=r"no layer .* at most 1.0% of the answers to 64 calibration examples"):
        quantised(plain, tmp_path, 0.01)


def test_class_scores_agree_by_the_largest_and_other_outputs_by_their_distance() -> None:
    def network(values: list[float], outputs: int) -> onnx.ModelProto:
        info = onnx.helper.make_tensor_value_info
        shape = [1, outputs]
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("Add", ["input", "added"], ["output"])],
            "added",
            [info("input", onnx.TensorProto.FLOAT, shape)],
            [info("output", onnx.TensorProto.FLOAT, shape)],
            [onnx.numpy_helper.from_array(np.array([values], np.float32), "added")],
        )
        opset = [onnx.helper.make_opsetid("", 18)]
        return onnx.helper.make_model(graph, opset_imports=opset, ir_version=10)

    scores = [{"input": np.array([[0.0, 1.0]], np.float32)}, {"input": np.array([[0.0, 3.0]], np.float32)}]
    assert Agreement(network([0, 0], 2), scores)(network([2, 0], 2), [0, 1]) == (0.5, [0.0, 1.0])
    numbers = [{"input": np.array([[4.0]], np.float32)}, {"input": np.array([[1.0]], np.float32)}]
    assert Agreement(network([0], 1), numbers)(network([1], 1), [0]) == (0.75, [0.75])
