"""Every backend of the folder keeps the contract."""

import copy
import json
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from runners_tests.backends import backend_contract as contract
from runners_tests.backends.exported_artifact import start_predict, write_artifact
from runners_tests.cpu_limit import finish, start

from runners.backend import Backend, Trained
from runners.backends import all_backends, backend_names, find_backend
from runners.inputs import ExampleInputs, one_by_one
from runners.lowering.onnx_export import export
from runners.lowering.quantisation import quantise_int8
from runners.machine.device import describe
from runners.runner import StageFailed
from runners.workloads.synthetic import make_network, make_splits
from spaces.errors import RequestError
from spaces.number_formats import NUMBER_FORMATS
from spaces.space_document import all_techniques
from spaces.technique import Earlier

CONTRACT = Path(contract.__file__)
HERE = {name: backend for name, backend in all_backends().items() if backend.unsupported() is None}
PLAIN = ("fp32", "bf16", "int8")
"""Formats that every network takes; the others have tests of their own."""
SLOW = ("aotinductor", "inductor")
"""What compiles for many seconds: `test_compiled_backends` tries it."""
ALL = [(name, precision) for name, backend in HERE.items() for precision in backend.precisions if precision in PLAIN]
PAIRS = [pair for pair in ALL if pair[0] not in SLOW]
AS_LARGE = [("openvino", "bf16"), ("ncnn", "bf16")]
"""What is stored in fp32 and converted when it is opened."""
# A program that loads torch takes seconds to start, and its loader is the same at every precision.
RUN = [pair for pair in PAIRS if pair not in [("eager", "fp32"), ("torchscript", "fp32")]]


@pytest.fixture(scope="module")
def onnx_files(place: Path, network: torch.nn.Module, inputs: Any) -> dict[str, Path]:
    plain, quantised = place / "plain.onnx", place / "int8.onnx"
    assert export(network, ExampleInputs.of(inputs[:1]), plain) == "", (
        "the current exporter must do for a plain network"
    )
    quantise_int8(plain, one_by_one(make_splits()["train"][0][:64]), quantised)
    return {"fp32": plain, "bf16": plain, "int8": quantised}


@pytest.fixture(scope="module")
def lowered(
    place: Path, network: torch.nn.Module, inputs: Any, onnx_files: dict[str, Path]
) -> dict[tuple[str, str], Path]:
    folders = {(name, precision): place / f"{name}-{precision}" for name, precision in PAIRS}
    for (name, precision), folder in folders.items():
        folder.mkdir()
        trained = Trained(
            network,
            lambda precision=precision: onnx_files[precision],
            ExampleInputs.of(inputs[:1]),
            precision,
            calibration=lambda: one_by_one(make_splits()["train"][0][:64]),
        )
        find_backend(name).lower(trained, folder)
    return folders


@pytest.fixture(scope="module")
def answers(place: Path, inputs: Any, lowered: dict[tuple[str, str], Path]) -> dict[tuple[str, str], Any]:
    """Answers of each artifact, from one fresh process for each backend, all at work at once."""
    processes = []
    for name in dict(PAIRS):
        jobs = [(str(lowered[pair]), str(place / f"{name}-{pair[1]}.npz")) for pair in PAIRS if pair[0] == name]
        command = [sys.executable, str(CONTRACT), name, str(place / "inputs.npy"), json.dumps(jobs)]
        processes.append(start(command))
    for process in processes:
        finish(process)
    return {(name, p): dict(np.load(place / f"{name}-{p}.npz")) for name, p in PAIRS}


@pytest.fixture(scope="module")
def printed(place: Path, inputs: Any, lowered: dict[tuple[str, str], Path]) -> dict[tuple[str, str], str]:
    """What ``predict.py`` of each exported folder prints, run elsewhere with its runtime and NumPy alone."""
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    processes = {}
    for name, precision in RUN:
        folder = lowered[name, precision]
        exported = write_artifact(place / f"exported-{name}-{precision}", name, precision, folder, inputs[:1])
        processes[name, precision] = start_predict(exported, place / "inputs.npy", elsewhere)
    return {pair: finish(process) for pair, process in processes.items()}


def _require_precision(precision: str) -> None:
    technique = next(t for t in all_techniques() if t.name == "numeric_precision")
    reason = technique.unsupported(
        technique.parameters[0], precision, Earlier({}, model_changed=False), describe(all_backends())
    )
    if reason:
        pytest.skip(reason)


@pytest.mark.parametrize(("name", "precision"), PAIRS)
def test_an_artifact_opened_in_a_fresh_process_answers_as_eager_does(
    name: str, precision: str, answers: dict[tuple[str, str], Any], reference: Any
) -> None:
    _require_precision(precision)
    contract.check(answers[name, precision], reference, precision)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_serving_without_torch_does_not_import_torch(name: str, answers: dict[tuple[str, str], Any]) -> None:
    assert not answers[name, "fp32"]["imported_torch"]


@pytest.mark.parametrize(("name", "precision"), RUN)
def test_predict_py_runs_without_frontrunner_and_answers_the_same(
    name: str, precision: str, printed: dict[tuple[str, str], str], answers: dict[tuple[str, str], Any], place: Path
) -> None:
    saved = np.load(place / f"exported-{name}-{precision}.npy")
    expected = answers[name, precision]["all"]
    assert f"output shape {expected.shape}" in printed[name, precision]
    assert str(expected.argmax(axis=1).tolist()) in printed[name, precision]
    assert saved.dtype == np.float32
    assert np.abs(saved - expected).max() <= (1e-4 if precision == "fp32" else 2e-2) * np.abs(expected).max()


@pytest.mark.parametrize(("name", "backend"), all_backends().items())
def test_a_backend_declares_what_it_is(name: str, backend: Backend) -> None:
    assert type(backend).__module__ == f"runners.backends.{name}"
    assert set(backend.precisions) <= set(NUMBER_FORMATS)
    assert backend.packages
    assert name not in HERE or all(map(version, backend.packages)), "pip knows them by the same names"
    assert name in HERE or not backend.by_default


@pytest.mark.parametrize(("name", "precision"), PAIRS)
def test_lowering_writes_the_declared_file(name: str, precision: str, lowered: dict[tuple[str, str], Path]) -> None:
    assert (lowered[name, precision] / find_backend(name).artifact).stat().st_size > 0


def test_openvino_refuses_an_input_of_another_size(inputs: Any, lowered: dict[tuple[str, str], Path]) -> None:
    predict = HERE["openvino"].open(lowered["openvino", "fp32"], threads=1, batch=1)
    with pytest.raises(ValueError, match=re.escape(f"{inputs[:1].shape}")):
        predict(inputs[:1, :1, :1])  # numpy would repeat it


def test_a_reduced_precision_takes_less_room(inputs: Any, tmp_path: Path) -> None:
    wide = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2048), torch.nn.ReLU(), torch.nn.Linear(2048, 4))
    plain, quantised = tmp_path / "plain.onnx", tmp_path / "int8.onnx"
    export(wide.eval(), ExampleInputs.of(inputs[:1]), plain)
    quantise_int8(plain, one_by_one(inputs[:8]), quantised)
    sizes = {}
    for name, precision in (p for p in PAIRS if not HERE[p[0]].compiles and p not in AS_LARGE):
        folder = tmp_path / f"{name}-{precision}"
        folder.mkdir()
        onnx = quantised if precision == "int8" else plain
        find_backend(name).lower(Trained(wide, lambda onnx=onnx: onnx, ExampleInputs.of(inputs[:1]), precision), folder)
        sizes[name, precision] = sum(entry.stat().st_size for entry in folder.iterdir())
    for (name, precision), size in sizes.items():
        assert precision == "fp32" or size < 0.6 * sizes[name, "fp32"], (name, precision)


def test_lowering_leaves_the_trained_network_as_it_was(network: torch.nn.Module, inputs: Any, tmp_path: Path) -> None:
    before = copy.deepcopy(network.state_dict())
    for name in ("eager", "torchscript"):
        (tmp_path / name).mkdir()
        find_backend(name).lower(
            Trained(network, lambda: tmp_path, ExampleInputs.of(inputs[:1]), "bf16"), tmp_path / name
        )
    for key, tensor in network.state_dict().items():
        assert tensor.dtype == before[key].dtype
        assert torch.equal(tensor, before[key])


def test_two_torch_predictors_keep_their_own_number_of_threads(
    lowered: dict[tuple[str, str], Path], inputs: Any
) -> None:
    wide = find_backend("eager").open(lowered["eager", "fp32"], threads=2, batch=1, build=make_network)
    find_backend("torchscript").open(lowered["torchscript", "fp32"], threads=1, batch=1)(inputs[:1])
    assert torch.get_num_threads() == 1
    wide(inputs[:1])
    assert torch.get_num_threads() == 2


def test_a_shipped_program_that_answers_otherwise_is_an_error(
    lowered: dict[tuple[str, str], Path], inputs: Any, tmp_path: Path
) -> None:
    class DependsOnTracing(torch.nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + (1.0 if torch.compiler.is_exporting() else 0.0)

    def build() -> torch.nn.Module:
        return DependsOnTracing(*make_network())

    with pytest.raises(StageFailed, match="other outputs"):
        find_backend("eager").ship(lowered["eager", "fp32"], tmp_path, build, ExampleInputs.of(inputs[:1]))


def test_an_unknown_backend_is_named_beside_those_that_exist() -> None:
    with pytest.raises(RequestError, match=r"unknown backend 'tflite'; allowed are aotinductor, eager"):
        find_backend("tflite")


def test_the_names_of_the_files_are_those_of_the_backends() -> None:
    assert backend_names() == tuple(all_backends())


@pytest.mark.parametrize("name", ["aotinductor", "inductor"])
def test_without_a_compiler_they_are_off_with_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    backend = find_backend(name)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert backend.unsupported() == "needs a C++ compiler, such as that of `sudo apt install g++`"
    (tmp_path / "mine").touch(mode=0o755)
    monkeypatch.setenv("CXX", "mine")
    assert backend.unsupported() is None
