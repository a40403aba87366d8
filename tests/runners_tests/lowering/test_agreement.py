"""An artifact that gives other outputs than its network is refused; rounding is not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from runners.array_split import ArraySplit
from runners.backend import Predictor, Trained
from runners.backends import find_backend
from runners.inputs import ExampleInputs, one_by_one
from runners.lowering.agreement import TOLERANCES, require_agreement
from runners.lowering.onnx_export import export
from runners.lowering.quantisation import quantise_int8
from runners.runner import StageFailed
from runners.workloads.synthetic import WORKLOAD, make_network


class EarlyExit(nn.Module):
    """Answers from its first layer where the whole batch has a large input, else from its second as well."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 3), nn.Linear(3, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        early = self.first(inputs)
        return early if inputs.amax(1).min() > 1 else early + 5 * self.second(early)


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return EarlyExit().eval()


@pytest.fixture
def split() -> ArraySplit:
    inputs = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    return ArraySplit(inputs, np.zeros(200))


def called(network: nn.Module, change: Any = lambda outputs, rows: outputs) -> Predictor:
    """A predictor with the outputs of ``network``, changed."""

    def predict(inputs: NDArray[Any]) -> NDArray[Any]:
        with torch.inference_mode():
            outputs: NDArray[Any] = network(torch.from_numpy(inputs)).numpy()
        return change(outputs, len(inputs))  # type: ignore[no-any-return]

    return predict


@pytest.mark.parametrize(
    ("runtime", "precision"), [("torchscript", "fp32"), ("torchscript", "bf16"), ("onnxruntime", "fp32")]
)
def test_an_exit_that_was_recorded_one_way_is_found(
    network: nn.Module, split: ArraySplit, runtime: str, precision: str, tmp_path: Path
) -> None:
    exported, folder = tmp_path / "exported.onnx", tmp_path / "lowered"
    folder.mkdir()
    example = ExampleInputs.of(split.inputs[:1])
    export(network, example, exported)
    find_backend(runtime).lower(Trained(network, lambda: exported, example, precision, EarlyExit), folder)
    predictor = find_backend(runtime).open(folder, threads=1, batch=1)
    with pytest.raises(StageFailed, match=r"other outputs than the network .* of 64 rows called alone, by up to"):
        require_agreement(predictor, network, split, TOLERANCES[precision])


@pytest.mark.parametrize("precision", TOLERANCES)
def test_a_network_agrees_with_itself(network: nn.Module, split: ArraySplit, precision: str) -> None:
    require_agreement(called(network), network, split, TOLERANCES[precision])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda outputs, rows: outputs[:, :2], r"shape \(16, 2\) where the network .* gives \(16, 3\)"),
        (lambda outputs, rows: outputs * np.nan, "in 16 of 16 rows in one call of 16"),
        (lambda outputs, rows: outputs[::-1] if rows > 1 else outputs, "of 16 rows in one call of 16, by up to"),
        (lambda outputs, rows: outputs * 1.01 if rows == 1 else outputs, "of 64 rows called alone, by up to 0.01 "),
    ],
)
def test_what_is_wrong_is_said_with_its_size(network: nn.Module, split: ArraySplit, change: Any, sentence: str) -> None:
    with pytest.raises(StageFailed, match=sentence):
        require_agreement(called(network, change), network, split, TOLERANCES["fp32"])


def test_rounding_may_turn_a_close_decision_in_a_row_of_a_reduced_precision(
    network: nn.Module, split: ArraySplit
) -> None:
    turned = split.inputs[0]

    def predict(inputs: NDArray[Any]) -> NDArray[Any]:
        alone = len(inputs) == 1 and np.array_equal(inputs[0], turned)
        return called(network)(inputs) + (100 if alone else 0)

    require_agreement(predict, network, split, TOLERANCES["bf16"])
    with pytest.raises(StageFailed, match="in 1 of 64 rows called alone"):
        require_agreement(predict, network, split, TOLERANCES["fp32"])


def test_slow_networks_are_called_less_often(
    network: nn.Module, split: ArraySplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runners.lowering.agreement.ALONE_S", 0.0)
    calls: list[int] = []
    require_agreement(
        called(network, lambda outputs, rows: calls.append(rows) or outputs), network, split, TOLERANCES["fp32"]
    )
    assert calls == [16] + 8 * [1]


def test_honest_quantisation_agrees(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, split = make_network().eval(), WORKLOAD.splits["validation"]
    example = WORKLOAD.example_inputs
    export(network, example, tmp_path / "plain.onnx")
    quantise_int8(
        tmp_path / "plain.onnx", one_by_one(WORKLOAD.splits["train"].batch(np.arange(16))[0]), tmp_path / "int8.onnx"
    )
    for runtime, precision in (("onnxruntime", "int8"), ("openvino", "int8"), ("openvino", "bf16"), ("eager", "bf16")):
        file, folder = (
            tmp_path / ("int8.onnx" if precision == "int8" else "plain.onnx"),
            tmp_path / (runtime + precision),
        )
        folder.mkdir()
        backend = find_backend(runtime)
        backend.lower(Trained(network, lambda file=file: file, example, precision, make_network), folder)
        predictor = backend.open(folder, threads=1, batch=16, build=make_network)
        require_agreement(predictor, network, split, TOLERANCES[precision])


def test_numbers_that_fp16_does_not_hold_fail_with_the_size_and_what_the_format_holds(tmp_path: Path) -> None:
    def make() -> nn.Module:
        torch.manual_seed(0)
        layers = [nn.Linear(4, 4, bias=False) for _ in range(4)]
        for layer, factor in zip(layers, (1e-5, 1e-5, 1e4, 1e4), strict=True):  # too small between
            layer.weight.data.mul_(factor)
        return nn.Sequential(*layers).eval()

    split = ArraySplit(np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32), np.zeros(64))
    trained = Trained(make(), lambda: tmp_path, ExampleInputs.of(split.inputs[:1]), "fp16", make)
    find_backend("eager").lower(trained, tmp_path)
    predictor = find_backend("eager").open(tmp_path, threads=1, batch=1, build=make)
    with pytest.raises(StageFailed, match=r"in \d+ of 16 rows .*, by up to .* from 6e-8 to 65504 alone"):
        require_agreement(predictor, make(), split, TOLERANCES["fp16"])


def test_outputs_in_int8_that_have_nothing_of_the_networks_are_blamed_on_quantiser_or_runtime() -> None:
    network = nn.Linear(4, 4).eval()
    split = ArraySplit(np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32), np.zeros(64))

    def predictor(*inputs: Any) -> Any:
        with torch.inference_mode():
            return 1e5 * network(*map(torch.from_numpy, inputs)).numpy()

    with pytest.raises(StageFailed, match="its quantiser or its runtime computes this network wrongly"):
        require_agreement(predictor, network, split, TOLERANCES["int8"])
