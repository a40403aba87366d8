"""An export of a packed model has the small file and a decoder: what it restores is what the runtime reads."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from runners.artifacts.exported_folder import ExportedModel, write_exported_folder
from runners.artifacts.integrity import read_document
from runners.inputs import ExampleInputs
from runners.measuring.opening import Artifact
from runners.packing.encode import encode
from runners.runner import StageFailed
from spaces.errors import RequestError

pytest.importorskip("constriction", reason="needs `pip install 'frontrunner[packing]'`")
WEIGHT = np.where(np.arange(64 * 32).reshape(64, 32) % 7, np.float32(0), np.float32(0.25))


@pytest.fixture(autouse=True)
def _own_leases(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(tmp_path_factory.mktemp("leases")))


def _model(weight: Any) -> Any:
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["input", "weight"], ["output"])],
        "linear",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 32])],
        [numpy_helper.from_array(weight, "weight")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def _export(folder: Path, *, packs: Any = WEIGHT) -> Path:
    """An exported folder whose packed file holds a model with the weight ``packs``."""
    lowered, other = folder / "lowered", folder / "other"
    for place, weight in ((lowered, WEIGHT), (other, packs)):
        place.mkdir()
        onnx.save(_model(weight), place / "model.onnx")
    packed = folder / "from-the-store"
    packed.write_bytes(encode({"model.onnx": other / "model.onnx"}))
    measured = {"accuracy": 0.97, "speedup": 2.0, "speedup_ci95": [1.9, 2.1]}
    model = ExportedModel(
        artifact=Artifact(lowered, "onnxruntime", threads=1),
        precision="fp32",
        build=lambda: None,
        example=ExampleInputs.of(np.ones((1, 64), np.float32)),
        workload="linear",
        configuration={"weight_sparsity": 0.9, "runtime": "onnxruntime"},
        claims=measured,
        baseline=measured,
        measured={"device": "AMD EPYC, 2 cores"},
        packed=packed,
    )
    return write_exported_folder(folder / "export", model)


def test_the_decoder_in_the_folder_restores_the_model_that_was_measured(tmp_path: Path) -> None:
    export = _export(tmp_path)
    read_document(export)
    packed, model = export / "model.packed", (export / "model.onnx").read_bytes()
    assert packed.stat().st_size < len(model) / 10
    sent = tmp_path / "sent"
    sent.mkdir()
    for name in ("model.packed", "decode.py"):
        (sent / name).write_bytes((export / name).read_bytes())
    shows = "import decode; _, arrays = decode.decode('model.packed'); print(arrays['weight'].astype(float).sum())"
    blocked = "import sys; sys.modules.update(dict.fromkeys(['torch', 'onnx', 'runners', 'constriction']));"
    subprocess.run([sys.executable, "decode.py", "model.packed", "."], check=True, cwd=sent)
    assert (sent / "model.onnx").read_bytes() == model
    told = subprocess.run([sys.executable, "-c", blocked + shows], check=True, cwd=sent, capture_output=True, text=True)
    assert float(told.stdout) == WEIGHT.astype(float).sum()


def test_the_card_says_what_the_small_file_is_for(tmp_path: Path) -> None:
    export = _export(tmp_path)
    card = (export / "README.md").read_text()
    assert "python decode.py model.packed .    # writes model.onnx into this folder" in card
    assert "The runtime reads the unpacked file" in card
    assert json.loads((export / "frontrunner.json").read_text())["packed"]["restores"] == ["model.onnx"]


def test_a_packed_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    export = _export(tmp_path)
    packed = export / "model.packed"
    packed.write_bytes(packed.read_bytes()[:-1])
    with pytest.raises(RequestError, match=r"model\.packed was changed after it was written; export again"):
        read_document(export)
    ended = subprocess.run(
        [sys.executable, "decode.py", "model.packed", "."], cwd=export, capture_output=True, text=True, check=False
    )
    assert ended.returncode
    assert "cut short, damaged or no packed model; fetch it again" in ended.stderr


def test_a_packed_file_of_another_model_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match=r"restores another model\.onnx than was exported"):
        _export(tmp_path, packs=2 * WEIGHT)
    assert not (tmp_path / "export").exists()
