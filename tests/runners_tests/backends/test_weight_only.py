"""Weights alone in 8 and 4 bits: a network of products takes them, one of convolutions says why not."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from runners_tests.backends import backend_contract as contract
from runners_tests.backends.short_training import trained_shortly

from runners.artifacts.exported_folder import ExportedModel, write_exported_folder
from runners.backend import Trained
from runners.backends import find_backend
from runners.inputs import ExampleInputs
from runners.lowering.agreement import TOLERANCES
from runners.lowering.onnx_export import export
from runners.lowering.weight_only import BITS
from runners.measuring.opening import Artifact
from runners.runner import StageFailed
from spaces.model_context import ModelContext
from spaces.techniques.early_exit import TECHNIQUE as EARLY_EXIT

PAIRS = [(name, precision) for name in ("onnxruntime", "openvino") for precision in BITS]


def make_mlp() -> torch.nn.Module:
    """Three products; the first one's inputs divide into groups of 32 weights."""
    layers = (torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 128), torch.nn.ReLU())
    return torch.nn.Sequential(torch.nn.Flatten(), *layers, torch.nn.Linear(128, 4))


@pytest.fixture(scope="module")
def mlp() -> torch.nn.Module:
    torch.manual_seed(0)
    return trained_shortly(make_mlp())


@pytest.fixture(scope="module")
def lowered(mlp: torch.nn.Module, inputs: Any, place: Path) -> dict[tuple[str, str], Path]:
    folders = {(name, precision): place / f"{name}-{precision}" for name, _ in PAIRS for precision in ("fp32", *BITS)}
    export(mlp, ExampleInputs.of(inputs[:1]), place / "mlp.onnx")
    for (name, precision), folder in folders.items():
        folder.mkdir()
        _lower(name, precision, mlp, place / "mlp.onnx", inputs, folder)
    return folders


def _lower(name: str, precision: str, network: torch.nn.Module, onnx: Path, inputs: Any, folder: Path) -> None:
    find_backend(name).lower(Trained(network, lambda: onnx, ExampleInputs.of(inputs[:1]), precision), folder)


@pytest.mark.parametrize(("name", "precision"), PAIRS)
def test_it_answers_nearly_as_the_network_does(
    name: str, precision: str, lowered: dict[tuple[str, str], Path], mlp: torch.nn.Module, inputs: Any
) -> None:
    with torch.inference_mode():
        reference = mlp(torch.from_numpy(inputs)).numpy()
    predict = find_backend(name).open(lowered[name, precision], threads=1, batch=1)
    contract.check(contract.collect(predict, inputs), reference, precision)


@pytest.mark.parametrize(("name", "precision"), PAIRS)
def test_the_artifact_is_smaller_by_what_was_taken_from_its_weights(
    name: str, precision: str, lowered: dict[tuple[str, str], Path]
) -> None:
    sizes = [
        sum(file.stat().st_size for file in lowered[name, each].glob("*") if file.suffix in (".onnx", ".bin"))
        for each in (precision, "fp32")
    ]
    assert sizes[0] < (0.4 if BITS[precision] == 8 else 0.25) * sizes[1]


@pytest.mark.parametrize(("name", "precision"), [("onnxruntime", "int4_weight_only"), ("openvino", "int8_weight_only")])
def test_predict_py_runs_it_without_frontrunner(
    name: str, precision: str, lowered: dict[tuple[str, str], Path], inputs: Any, place: Path
) -> None:
    model = ExportedModel(
        artifact=Artifact(lowered[name, precision], name, threads=1),
        precision=precision,
        build=make_mlp,
        example=ExampleInputs.of(inputs[:1]),
        configuration={"runtime": name, "numeric_precision": precision},
        claims={"accuracy": 0.9},
        baseline={"accuracy": 0.9},
        measured={"device": "this machine"},
        workload="synthetic",
    )
    exported = write_exported_folder(place / f"exported-{name}-{precision}", model)
    saved = exported.with_suffix(".npy")
    np.save(place / "given.npy", inputs)
    command = [sys.executable, "-I", str(exported / "predict.py"), "--input", str(place / "given.npy")]
    subprocess.run([*command, "--save", str(saved)], cwd=place, capture_output=True, check=True, timeout=120)
    expected = find_backend(name).open(lowered[name, precision], threads=1, batch=1)(inputs)
    assert np.abs(np.load(saved) - expected).max() <= 2e-2 * np.abs(expected).max()


@pytest.mark.parametrize("precision", BITS)
def test_onnx_runtime_needs_no_nncf_for_it(
    precision: str, mlp: torch.nn.Module, place: Path, inputs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    export(mlp, ExampleInputs.of(inputs[:1]), place / "alone.onnx")
    _lower("onnxruntime", precision, mlp, place / "alone.onnx", inputs, tmp_path)
    assert find_backend("onnxruntime").open(tmp_path, threads=1, batch=1)(inputs).shape == (len(inputs), 4)


@pytest.mark.parametrize(
    ("name", "precision", "why"),
    [
        ("onnxruntime", "int8_weight_only", "2% .* 8 bits: ONNX Runtime compresses those of matrix products alone"),
        ("onnxruntime", "int4_weight_only", "2% .* 4 bits: ONNX Runtime compresses those of matrix products alone"),
        ("openvino", "int4_weight_only", "0% .* 4 bits: NNCF keeps convolutions"),
    ],
)
def test_a_network_of_convolutions_is_refused_with_the_share_that_would_change(
    name: str, precision: str, why: str, network: torch.nn.Module, inputs: Any, tmp_path: Path
) -> None:
    export(network, ExampleInputs.of(inputs[:1]), tmp_path / "plain.onnx")
    with pytest.raises(StageFailed, match=why):
        _lower(name, precision, network, tmp_path / "plain.onnx", inputs, tmp_path)


def test_openvino_compresses_convolutions_to_8_bits(network: torch.nn.Module, inputs: Any, tmp_path: Path) -> None:
    export(network, ExampleInputs.of(inputs[:1]), tmp_path / "plain.onnx")
    sizes = {}
    for precision in ("fp32", "int8_weight_only"):
        _lower("openvino", precision, network, tmp_path / "plain.onnx", inputs, tmp_path)
        sizes[precision] = (tmp_path / "model.bin").stat().st_size
    assert sizes["int8_weight_only"] < 0.35 * sizes["fp32"]


@pytest.mark.parametrize(("name", "precision"), PAIRS)
def test_what_lies_behind_early_exits_is_compressed_too(name: str, precision: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    wide = [layer for _ in range(3) for layer in (torch.nn.Linear(128, 128), torch.nn.ReLU())]
    network = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), *wide, torch.nn.Linear(128, 4)).eval()
    inputs = np.random.default_rng(0).normal(size=(8, 64)).astype(np.float32)
    context = ModelContext((torch.from_numpy(inputs[:1]),), 0, torch.nn.Identity)
    exits: torch.nn.Module = EARLY_EXIT.apply(network, {"early_exits": 2}, context)
    export(exits, ExampleInputs.of(inputs[:1]), tmp_path / "exits.onnx")
    _lower(name, precision, exits, tmp_path / "exits.onnx", inputs, tmp_path)
    weights = sum(parameter.numel() for parameter in exits.parameters())
    size = sum(file.stat().st_size for file in tmp_path.glob("model.*") if file.suffix in (".onnx", ".bin"))
    assert size < 2.2 * weights  # of 4 bytes each in fp32; graphs are a part of it
    found = find_backend(name).open(tmp_path, threads=1, batch=1)(inputs)
    with torch.inference_mode():
        expected = exits(torch.from_numpy(inputs)).numpy()
    assert np.abs(found - expected).max() < TOLERANCES[precision].difference * np.abs(expected).max()


def test_what_the_tool_cannot_do_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, place: Path, lowered: dict[tuple[str, str], Path], inputs: Any, tmp_path: Path
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("no such\nblock")

    monkeypatch.setattr("onnxruntime.quantization.matmul_nbits_quantizer.MatMulNBitsQuantizer.process", fail)
    monkeypatch.setattr("nncf.compress_weights", fail)
    for name, precision in PAIRS:
        with pytest.raises(StageFailed, match=rf"the weights cannot be compressed to {precision} \(.*no such block"):
            _lower(name, precision, make_mlp(), place / "mlp.onnx", inputs, tmp_path)
