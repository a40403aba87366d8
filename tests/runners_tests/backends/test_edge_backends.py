"""What the runtimes for phones and boards refuse, and that they take several inputs and whole numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from runners.backend import Trained
from runners.backends import find_backend
from runners.inputs import ExampleInputs
from runners.runner import StageFailed

EDGE = [
    pytest.param(name, marks=pytest.mark.skipif(find_backend(name).unsupported() is not None, reason="not installed"))
    for name in ("ncnn", "executorch")
]


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.numbers, self.last = nn.Embedding(11, 6), nn.Linear(3, 6), nn.Linear(6, 2)

    def forward(self, tokens: Tensor, numbers: Tensor) -> Tensor:
        return self.last(torch.relu(self.words(tokens).mean(dim=1) + self.numbers(numbers)))


class Unusual(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.erfinv(x.tanh())


def lowered(name: str, module: nn.Module, example: ExampleInputs, folder: Path, **given: Any) -> None:
    find_backend(name).lower(Trained(module.eval(), lambda: folder, example, **{"precision": "fp32", **given}), folder)


@pytest.mark.parametrize("name", EDGE)
def test_whole_numbers_beside_others_are_taken_row_by_row(name: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    tokens, numbers = random.integers(0, 11, (5, 7)), random.normal(size=(5, 3)).astype(np.float32)
    network = TwoInputs()
    lowered(name, network, ExampleInputs.of(tokens[:1], numbers[:1]), tmp_path)
    answer = find_backend(name).open(tmp_path, threads=1, batch=1)(tokens, numbers)
    with torch.inference_mode():
        expected = network(torch.from_numpy(tokens), torch.from_numpy(numbers)).numpy()
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, expected, atol=1e-5)
    shipped: dict[str, Any] = {}
    exec(find_backend(name).loader_source(), shipped)
    np.testing.assert_array_equal(shipped["load"](tmp_path, 1)(tokens, numbers), answer)


@pytest.mark.parametrize("name", EDGE)
def test_a_picture_that_is_flattened_gives_one_row_of_outputs_each(name: str, tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).normal(size=(3, 1, 4, 4)).astype(np.float32)
    lowered(name, nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), ExampleInputs.of(pictures[:1]), tmp_path)
    assert find_backend(name).open(tmp_path, threads=1, batch=1)(pictures).shape == (3, 2)


@pytest.mark.parametrize("name", EDGE)
def test_a_dynamic_dimension_is_refused(name: str, tmp_path: Path) -> None:
    example = ExampleInputs((np.zeros((1, 4), np.float32),), ("input",), (1,))
    with pytest.raises(StageFailed, match="dynamic dimension"):
        lowered(name, nn.Identity(), example, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(find_backend("ncnn").unsupported() is not None, reason="not installed")
def test_an_operator_that_ncnn_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match=r"ncnn has no operator for .*erfinv"):
        lowered("ncnn", Unusual(), ExampleInputs.of(np.zeros((1, 4), np.float32)), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", EDGE[1:])
def test_int8_is_quantised_with_the_ranges_of_the_examples(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4))
    inputs = np.random.default_rng(0).normal(size=(32, 3, 8, 8)).astype(np.float32)
    example, examples = ExampleInputs.of(inputs[:1]), [(row[None],) for row in inputs]
    lowered(name, network, example, tmp_path, precision="int8", calibration=lambda: examples)
    answer = find_backend(name).open(tmp_path, threads=1, batch=1)(inputs)
    with torch.inference_mode():
        expected = network(torch.from_numpy(inputs)).numpy()
    apart = np.abs(answer - expected).max() / np.abs(expected).max()
    assert 1e-4 < apart < 0.05, "it is quantised, and with the ranges of the examples"


@pytest.mark.parametrize("name", EDGE[1:])
@pytest.mark.parametrize("scale", [1.0, 0.0])
def test_examples_that_are_all_alike_or_zero_still_give_a_network(name: str, scale: float, tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(size=(4, 3, 8, 8)).astype(np.float32)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4))
    examples = [(scale * images[:1],)] * 4
    lowered(name, network, ExampleInputs.of(images[:1]), tmp_path, precision="int8", calibration=lambda: examples)
    assert np.isfinite(find_backend(name).open(tmp_path, threads=1, batch=1)(images)).all()


@pytest.mark.parametrize("name", EDGE[1:])
def test_a_network_of_operations_that_its_quantiser_does_not_know_is_refused(name: str, tmp_path: Path) -> None:
    given = np.ones((1, 4), np.float32)
    network, example = nn.Sequential(nn.Softplus(), nn.Flatten()), ExampleInputs.of(given)
    with pytest.raises(StageFailed, match="quantiser for XNNPACK found no operation to quantise in this network"):
        lowered(name, network, example, tmp_path, precision="int8", calibration=lambda: [(given,)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(find_backend("ncnn").unsupported() is not None, reason="not installed")
@pytest.mark.parametrize("layer", [nn.Conv2d(8, 16, 3, groups=8), nn.ConvTranspose2d(8, 8, 3, groups=4)])
def test_convolutions_that_ncnn_computes_wrong_in_bf16_are_refused_there(layer: nn.Module, tmp_path: Path) -> None:
    example = ExampleInputs.of(np.zeros((1, 8, 7, 7), np.float32))
    with pytest.raises(StageFailed, match="several channels a group"):
        lowered("ncnn", layer, example, tmp_path, precision="bf16")


@pytest.mark.skipif(find_backend("ncnn").unsupported() is not None, reason="not installed")
def test_other_convolutions_are_near_in_bf16_in_ncnn(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(8, 8, (3, 1), groups=8), nn.Conv2d(8, 16, 3))
    images = np.random.default_rng(0).normal(size=(1, 8, 7, 7)).astype(np.float32)
    lowered("ncnn", network, ExampleInputs.of(images), tmp_path, precision="bf16")
    answer = find_backend("ncnn").open(tmp_path, threads=1, batch=1)(images)
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).numpy()
    assert 1e-4 < np.abs(answer - expected).max() / np.abs(expected).max() < 0.02
