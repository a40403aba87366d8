"""An exported file is compared by precise sigmoids, as those of ONNX Runtime are rough."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from runners.array_split import ArraySplit
from runners.backend import Predictor, Trained
from runners.backends import find_backend
from runners.inputs import ExampleInputs
from runners.lowering.agreement import TOLERANCES, require_agreement, tolerance_of
from runners.lowering.onnx_export import export
from runners.lowering.onnx_graphs.precise_sigmoid import precise_sigmoids
from runners.lowering.onnx_session import open_session
from runners.runner import StageFailed

INPUTS = np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32)
SPLIT = ArraySplit(INPUTS, np.zeros(16))


class Dead(nn.Module):
    """Features that are nearly 0, as silu makes them of -16, and are divided by how little they vary."""

    def __init__(self, either_way: bool = False, rest: float = 0.0) -> None:
        super().__init__()
        self.either_way, self.rest = either_way, rest

    def forward(self, inputs: Tensor) -> Tensor:
        def features(given: Tensor) -> Tensor:
            return nn.functional.silu(given / 8 - 16) * 1e4 + self.rest * given

        if not self.either_way:
            return features(inputs)
        return torch.cond(inputs.sum() > 0, features, lambda given: features(2 * given), (inputs,))


def _opened(path: Path) -> Predictor:
    session = open_session(path, 1)

    def predict(*inputs: NDArray[Any]) -> Any:
        return session.run(["output"], {"input": inputs[0]})[0]

    return predict


def _exported(network: nn.Module, folder: Path) -> Path:
    path = folder / "exported.onnx"
    assert export(network, ExampleInputs.of(INPUTS[:1]), path) == ""
    return path


@pytest.mark.parametrize("either_way", [False, True])
def test_an_export_that_is_right_agrees_where_onnx_runtimes_sigmoid_is_rough(either_way: bool, tmp_path: Path) -> None:
    network = Dead(either_way).eval()
    path = _exported(network, tmp_path)
    with pytest.raises(StageFailed, match="other outputs than the network"):
        require_agreement(_opened(path), network, SPLIT, TOLERANCES["fp32"])
    before = path.read_bytes()
    with precise_sigmoids(path) as written:
        require_agreement(_opened(written), network, SPLIT, TOLERANCES["fp32"])
    assert [path.read_bytes(), *tmp_path.iterdir()] == [before, path]  # the file itself stays, and alone


def test_a_file_without_sigmoids_is_compared_itself(tmp_path: Path) -> None:
    path = _exported(nn.Linear(8, 3).eval(), tmp_path)
    with precise_sigmoids(path) as written:
        assert written == path
    assert path.exists()


def test_weights_beside_a_file_are_read_by_the_written_out_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runners.lowering.onnx_files.LARGEST_BYTES", 1000)
    network = nn.Sequential(nn.Linear(8, 64), nn.Sigmoid(), nn.Linear(64, 3)).eval()
    path = _exported(network, tmp_path)
    assert (tmp_path / "exported.onnx.data").exists()
    with precise_sigmoids(path) as written:
        assert all(node.op_type != "Sigmoid" for node in onnx.load(written).graph.node)
        require_agreement(_opened(written), network, SPLIT, TOLERANCES["fp32"])


@pytest.mark.parametrize(("rest", "refused"), [(1.0, False), (0.0, True)])
def test_the_artifact_of_onnx_runtime_may_differ_by_what_its_sigmoids_explain_and_no_more(
    rest: float, refused: bool, tmp_path: Path
) -> None:
    network, backend = Dead(rest=rest).eval(), find_backend("onnxruntime")
    path = _exported(network, tmp_path)
    folder = tmp_path / "lowered"
    folder.mkdir()
    backend.lower(Trained(network, lambda: path, ExampleInputs.of(INPUTS[:1]), "fp32"), folder)
    predict, allowed = backend.open(folder, threads=1, batch=1), tolerance_of("fp32", False, backend.rough_because)
    with pytest.raises(StageFailed, match="what its forward does"):
        require_agreement(predict, network, SPLIT, TOLERANCES["fp32"])
    with pytest.raises(StageFailed, match="ONNX Runtime rounds sigmoids to 6e-8") if refused else nullcontext():
        require_agreement(predict, network, SPLIT, allowed)


def test_other_runtimes_and_formats_have_the_tolerance_that_they_had() -> None:
    rough = find_backend("onnxruntime").rough_because
    assert tolerance_of("fp32", False, find_backend("openvino").rough_because) == TOLERANCES["fp32"]
    assert tolerance_of("int8", False, rough) == TOLERANCES["int8"]
    assert tolerance_of("fp32", True, rough) == TOLERANCES["tf32"]
