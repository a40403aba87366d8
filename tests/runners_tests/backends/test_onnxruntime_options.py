"""Settings of ONNX Runtime: the model is opened with what is chosen, in ``predict.py`` too; what is not here is off."""

import json
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from spaces_tests.environments import LAPTOP

from runners.backend import Trained
from runners.backends import find_backend
from runners.inputs import ExampleInputs
from runners.lowering.onnx_export import export
from runners.runner import StageFailed
from spaces.environment import BackendFacts
from spaces.space_document import find_technique, make_space

ONNXRUNTIME = find_backend("onnxruntime")


@pytest.fixture(scope="module")
def plain(place: Path, network: torch.nn.Module, inputs: Any) -> Path:
    export(network, ExampleInputs.of(inputs[:1]), place / "options.onnx")
    return place / "options.onnx"


def lower(plain: Path, network: torch.nn.Module, inputs: Any, folder: Path, **options: Any) -> None:
    trained = Trained(network, lambda: plain, ExampleInputs.of(inputs[:1]), "fp32", options=options)
    ONNXRUNTIME.lower(trained, folder)


def sessions_of(monkeypatch: pytest.MonkeyPatch, providers: tuple[str, ...], opened: tuple[str, ...]) -> list[Any]:
    """Stand-ins for an ONNX Runtime with ``providers``, of which those ``opened`` can be loaded; what was asked for."""
    asked: list[Any] = []

    def session(path: str, options: Any, providers: list[str]) -> Any:
        asked.append((options.graph_optimization_level, providers))
        return SimpleNamespace(get_providers=lambda: list(opened), get_inputs=lambda: [])

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(providers))
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    return asked


@pytest.mark.parametrize("level", ["extended", "basic", "disabled"])
def test_a_level_of_optimisation_is_kept_with_the_model(
    level: str,
    plain: Path,
    network: torch.nn.Module,
    inputs: Any,
    reference: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lower(plain, network, inputs, tmp_path, graph_level=level)
    np.testing.assert_allclose(ONNXRUNTIME.open(tmp_path, threads=1, batch=1)(inputs), reference, atol=1e-4)
    shipped: dict[str, Any] = {}
    exec(ONNXRUNTIME.loader_source(), shipped)
    np.testing.assert_allclose(shipped["load"](tmp_path, 1)(inputs), reference, atol=1e-4)
    asked = sessions_of(monkeypatch, ("CPUExecutionProvider",), ("CPUExecutionProvider",))
    ONNXRUNTIME.open(tmp_path, threads=1, batch=1)
    shipped["load"](tmp_path, 1)
    names = {
        "extended": "ORT_ENABLE_EXTENDED",
        "basic": "ORT_ENABLE_BASIC",
        "disabled": "ORT_DISABLE_ALL",
    }
    assert [str(used).endswith(names[level]) for used, _ in asked] == [True, True]


def test_without_settings_nothing_is_written_beside_the_model(
    plain: Path, network: torch.nn.Module, inputs: Any, tmp_path: Path
) -> None:
    lower(plain, network, inputs, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_a_provider_that_is_not_here_or_cannot_be_loaded_is_no_silent_cpu(
    plain: Path, network: torch.nn.Module, inputs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower(plain, network, inputs, tmp_path, execution_provider="cuda")
    assert json.loads((tmp_path / "onnxruntime.json").read_text()) == {"execution_provider": "cuda"}
    with pytest.raises(StageFailed, match="the installed ONNX Runtime has no CUDAExecutionProvider"):
        ONNXRUNTIME.open(tmp_path, threads=1, batch=1)
    both = ("CUDAExecutionProvider", "CPUExecutionProvider")
    sessions_of(monkeypatch, both, both[1:])
    with pytest.raises(StageFailed, match="ONNX Runtime cannot load its CUDAExecutionProvider here"):
        ONNXRUNTIME.open(tmp_path, threads=1, batch=1)
    asked = sessions_of(monkeypatch, both, both)
    ONNXRUNTIME.open(tmp_path, threads=1, batch=1)
    assert [providers for _, providers in asked] == [["CUDAExecutionProvider"]]


@pytest.mark.parametrize(
    ("available", "offered"),
    [
        (["AzureExecutionProvider", "CPUExecutionProvider"], ["cpu"]),
        (["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"], ["cpu", "cuda", "tensorrt"]),
        (["CoreMLExecutionProvider", "CPUExecutionProvider"], ["cpu", "coreml"]),
        (["OpenVINOExecutionProvider", "CPUExecutionProvider"], ["cpu", "openvino"]),
    ],
)
def test_the_providers_of_the_installed_onnxruntime_are_offered(
    available: list[str], offered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: available)
    found = ONNXRUNTIME.examine()
    options = {name: tuple(values) for name, values in found.items()}
    facts = BackendFacts(("fp32",), options=options, takes=ONNXRUNTIME.takes)
    machine = replace(LAPTOP, backends={**LAPTOP.backends, "onnxruntime": facts})
    space = make_space({"runtime": ["onnxruntime"], "execution_provider": "all"}, machine)
    assert [each["execution_provider"] for each in space.configurations()] == offered


def test_the_settings_are_drawn_after_onnxruntime_alone_and_what_is_missing_says_why() -> None:
    space = make_space({"runtime": "all", "graph_level": "all", "onnxslim": "all"}, LAPTOP)
    for configuration in space.configurations():
        assert ("graph_level" in configuration) == (configuration["runtime"] == "onnxruntime")
    facts = BackendFacts(("fp32",), takes=ONNXRUNTIME.takes)
    bare = replace(LAPTOP, backends={**LAPTOP.backends, "onnxruntime": facts})
    reasons = {
        (name, value): reason
        for name, value, reason in make_space(
            {"runtime": ["onnxruntime"], "execution_provider": ["cpu", "cuda"], "onnxslim": [False, True]}, bare
        ).reasons()
    }
    assert reasons["onnxslim", True] == "needs `pip install 'frontrunner[onnxslim]'`"
    assert (
        "no execution provider cuda here; `pip install onnxruntime-gpu` brings it"
        in reasons["execution_provider", "cuda"]
    )
    technique = find_technique("onnxruntime_options")
    assert not technique.accepts(technique.parameters[2], 0), "0 is no false here"


@pytest.mark.parametrize("changes", [False, True])
def test_a_file_that_onnxslim_leaves_the_same_is_told(
    changes: bool,
    plain: Path,
    network: torch.nn.Module,
    inputs: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def slim(model: onnx.ModelProto) -> onnx.ModelProto:
        model.graph.name = "another name"
        relu = next(node for node in model.graph.node if node.op_type == "Relu")
        relu.op_type = "Sigmoid" if changes else relu.op_type
        return model

    monkeypatch.setitem(sys.modules, "onnxslim", SimpleNamespace(slim=slim))  # type: ignore[arg-type]
    if changes:
        lower(plain, network, inputs, tmp_path, onnxslim=True)
        assert "Sigmoid" in {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}
    else:
        with pytest.raises(StageFailed, match="onnxslim changes nothing in what ONNX Runtime makes"):
            lower(plain, network, inputs, tmp_path, onnxslim=True)


@pytest.mark.skipif(find_spec("onnxslim") is None, reason="not installed")
def test_onnxslim_itself_removes_operators(network: torch.nn.Module, inputs: Any, tmp_path: Path) -> None:
    nodes = [
        onnx.helper.make_node("Reshape", ["input", "rows"], ["once"]),
        onnx.helper.make_node("Reshape", ["once", "flat"], ["twice"]),
        onnx.helper.make_node("Identity", ["twice"], ["output"]),
    ]
    shapes = {"rows": [-1, 8, 8], "flat": [-1, 64]}
    values = [onnx.helper.make_tensor(name, onnx.TensorProto.INT64, [len(s)], s) for name, s in shapes.items()]
    given = onnx.helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ["batch", 1, 8, 8])
    made = onnx.helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, ["batch", 64])
    graph = onnx.helper.make_graph(nodes, "reshapes", [given], [made], values)
    source, folder = tmp_path / "reshapes.onnx", tmp_path / "lowered"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9), source)
    folder.mkdir()
    lower(source, network, inputs, folder, onnxslim=True, graph_level="disabled")
    assert len(onnx.load(folder / "model.onnx").graph.node) < len(nodes)
    answer = ONNXRUNTIME.open(folder, threads=1, batch=1)(inputs)
    np.testing.assert_array_equal(answer, inputs.reshape(len(inputs), 64))
