"""A network of several inputs, of every type and with a length that varies, runs alike in every runtime."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from runners_tests import several_inputs
from runners_tests.several_inputs import LENGTH, WORKLOAD
from torch import nn

from runners.artifacts.exported_folder import ExportedModel, open_exported_folder, write_exported_folder
from runners.backend import Trained
from runners.backends import find_backend
from runners.inputs import ExampleInputs, one_by_one, read, shortened
from runners.lowering.agreement import TOLERANCES, require_agreement
from runners.lowering.onnx_export import export
from runners.lowering.onnx_session import open_session
from runners.lowering.quantisation import quantise_int8
from runners.measuring.opening import Artifact
from runners.quantisers.attention import has_attention
from runners.runner import StageFailed
from runners.serving.replicas import serve
from runners.workload_loading.check import check_contract

RUNTIMES = {
    "eager": ("fp32", "bf16"),
    "torchscript": ("fp32", "bf16"),
    "onnxruntime": ("fp32", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
}
EXAMPLE = WORKLOAD.example_inputs
SPLIT = WORKLOAD.splits["validation"]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return WORKLOAD.network().eval()


@pytest.fixture(scope="module")
def onnx_file(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("onnx")
    assert export(network, EXAMPLE, folder / "fp32.onnx") == ""
    quantise_int8(folder / "fp32.onnx", one_by_one(*read(SPLIT, np.arange(16))[0]), folder / "int8.onnx")
    return lambda precision: folder / f"{'int8' if precision == 'int8' else 'fp32'}.onnx"


def test_the_workload_keeps_the_contract() -> None:
    assert check_contract(WORKLOAD) == ()
    assert EXAMPLE.names == ("tokens", "mask", "numbers")
    assert [str(array.dtype) for array in EXAMPLE.arrays] == ["int64", "bool", "float32"]
    assert EXAMPLE.shapes == ((None,), (None,), (4,))


def test_the_file_has_the_names_and_types_of_the_inputs(onnx_file: Callable[[str], Path]) -> None:
    inputs = onnx.load(onnx_file("fp32")).graph.input
    kinds = {each.name: onnx.TensorProto.DataType.Name(each.type.tensor_type.elem_type) for each in inputs}
    assert kinds == {"tokens": "INT64", "mask": "BOOL", "numbers": "FLOAT"}


@pytest.mark.parametrize(("runtime", "precision"), [(name, each) for name in RUNTIMES for each in RUNTIMES[name]])
def test_a_runtime_answers_as_the_network_does(
    runtime: str, precision: str, network: nn.Module, onnx_file: Callable[[str], Path], tmp_path: Path
) -> None:
    backend = find_backend(runtime)
    trained = Trained(network, lambda: onnx_file(precision), EXAMPLE, precision, WORKLOAD.network)
    backend.lower(trained, tmp_path)
    predictor = backend.open(tmp_path, threads=1, batch=1, build=WORKLOAD.network)
    require_agreement(predictor, network, SPLIT, TOLERANCES[precision], EXAMPLE.dynamic)
    in_batch = predictor(*read(SPLIT, np.arange(4))[0])
    alone = np.concatenate([predictor(*read(SPLIT, np.array([row]))[0]) for row in range(4)])
    np.testing.assert_allclose(in_batch, alone, atol=0.03 if precision == "bf16" else 1e-5)


@pytest.mark.parametrize("runtime", ["eager", "onnxruntime"])
def test_the_exported_folder_says_what_it_takes_and_takes_it(
    runtime: str, network: nn.Module, onnx_file: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "lowered").mkdir()
    trained = Trained(network, lambda: onnx_file("fp32"), EXAMPLE, "fp32", WORKLOAD.network)
    find_backend(runtime).lower(trained, tmp_path / "lowered")
    model = ExportedModel(
        artifact=Artifact(tmp_path / "lowered", runtime, threads=1),
        precision="fp32",
        build=WORKLOAD.network,
        example=EXAMPLE,
        workload="several",
        configuration={"runtime": runtime},
        claims={"accuracy": 0.9},
        baseline={"accuracy": 0.9},
        measured={"device": "this machine"},
    )
    exported = write_exported_folder(tmp_path / "exported", model)
    document = json.loads((exported / "frontrunner.json").read_text())
    assert "input" not in document
    assert document["inputs"] == [
        {"name": "tokens", "dtype": "int64", "shape": ["batch", None]},
        {"name": "mask", "dtype": "bool", "shape": ["batch", None]},
        {"name": "numbers", "dtype": "float32", "shape": ["batch", 4]},
    ]
    assert document["output"] == {"name": "output", "dtype": "float32", "shape": ["batch", 3]}
    card = (exported / "README.md").read_text()
    assert "- Input `tokens`: int64 of shape `(batch, any)`; `any` is a size that may differ between calls." in card
    assert "predict(tokens, mask, numbers) takes arrays" in card
    shorter = shortened(read(SPLIT, np.arange(3))[0], EXAMPLE.dynamic)
    assert shorter[0].shape == (3, LENGTH * 3 // 4)
    with torch.inference_mode():
        expected = network(*map(torch.from_numpy, shorter)).numpy()
    opened = open_exported_folder(exported, threads=1, batch=3)
    np.testing.assert_allclose(opened(*shorter), expected, atol=1e-5)
    np.savez(exported / "some.npz", **dict(zip(EXAMPLE.names, shorter, strict=True)))
    command = [sys.executable, "-I", str(exported / "predict.py")]
    arguments = ["--input", str(exported / "some.npz"), "--save", str(exported / "outputs.npy")]
    subprocess.run([*command, *arguments], check=True, capture_output=True)
    np.testing.assert_allclose(np.load(exported / "outputs.npy"), expected, atol=1e-5)
    if runtime == "eager":
        return
    alone = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "output shape (1, 3)" in alone.stdout
    np.save(exported / "tokens.npy", shorter[0])
    one = subprocess.run([*command, "--input", str(exported / "tokens.npy")], capture_output=True, text=True)
    assert one.returncode == 2
    assert "holds no array mask; give an .npz file with tokens, mask, numbers" in one.stderr


def test_an_eager_artifact_is_served(network: nn.Module, tmp_path: Path) -> None:
    find_backend("eager").lower(Trained(network, Path, EXAMPLE, "fp32", WORKLOAD.network), tmp_path)
    reference = f"{several_inputs.__file__}:WORKLOAD"
    inputs = read(SPLIT, np.arange(8))[0]
    found = serve(Artifact(tmp_path, "eager", threads=1), reference, 1, [inputs], 0.1, WORKLOAD.keywords)
    assert found.throughput_per_s > 0


class Ignores(nn.Module):
    """Does not look at its second input."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x * 2


class Counts(nn.Module):
    """Its answer depends on the length that it was recorded with."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(4, 4, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean: torch.Tensor = self.layer(x)[0].mean(1)
        return mean


def test_an_input_that_is_not_used_is_taken_all_the_same(tmp_path: Path) -> None:
    one = np.ones((1, 3), np.float32)
    example, exported = ExampleInputs.of(one, one), tmp_path / "model.onnx"
    export(Ignores().eval(), example, exported)
    for runtime in ("onnxruntime", "openvino", "torchscript"):
        (tmp_path / runtime).mkdir()
        trained = Trained(Ignores().eval(), lambda: exported, example, "fp32", Ignores)
        find_backend(runtime).lower(trained, tmp_path / runtime)
        np.testing.assert_array_equal(find_backend(runtime).open(tmp_path / runtime, threads=1, batch=1)(one, one), 2)


def test_a_length_that_torch_export_fixes_is_told_in_one_sentence(tmp_path: Path) -> None:
    example = ExampleInputs((np.ones((1, 6, 4), np.float32),), ("input",), (1,))
    eager = find_backend("eager")
    (tmp_path / "lowered").mkdir()
    eager.lower(Trained(Counts().eval(), Path, example, "fp32", Counts), tmp_path / "lowered")
    with pytest.raises(StageFailed, match=r"fixes a size .* recurrent layers; pick a trial of another runtime"):
        eager.ship(tmp_path / "lowered", tmp_path, Counts, example)


class Attends(nn.Module):
    """Attention that leaves out what is masked."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.attention(x, x, x, key_padding_mask=~mask)[0].mean(1))
        return logits


def test_masked_attention_keeps_its_outputs_in_int8(tmp_path: Path) -> None:
    torch.manual_seed(0)
    random, network = np.random.default_rng(0), Attends().eval()
    x = random.normal(size=(32, 6, 16)).astype(np.float32)
    mask = np.arange(6) < random.integers(2, 6, (32, 1))
    export(network, ExampleInputs.of(x[:1], mask[:1]), tmp_path / "plain.onnx")
    quantise_int8(tmp_path / "plain.onnx", one_by_one(x, mask), tmp_path / "int8.onnx")
    with torch.inference_mode():
        expected = network(torch.from_numpy(x), torch.from_numpy(mask)).numpy()
    session = open_session(tmp_path / "int8.onnx", 1)
    given = session.run(["output"], {"input_0": x, "input_1": mask})[0]
    assert np.abs(given - expected).max() < 0.3 * np.abs(expected).max()
    classifier = nn.Sequential(nn.Linear(16, 3), nn.Softmax(1)).eval()
    export(classifier, ExampleInputs.of(x[:, 0][:1]), tmp_path / "softmax.onnx")
    found = [has_attention(onnx.load(tmp_path / name).graph) for name in ("plain.onnx", "softmax.onnx")]
    assert found == [True, False]
