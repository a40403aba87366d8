"""A search of what int8 can be brought back by, each kind exported, verified, and run without Frontrunner."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runners_tests.backends.exported_artifact import start_predict
from search_tests.command import document, frontrunner

from runners.workloads.digits import WORKLOAD

pytestmark = pytest.mark.slow

STUDY = """\
workload: digits
trials: 8
space:
  numeric_precision: [int8]
  quantisation_aware_epochs: [0, 1]
  runtime: [onnxruntime, openvino]
  float_share: [0.0, 0.25]
  accuracy_control: [0.0, 0.02]
"""
WANTED: dict[str, dict[str, Any]] = {
    "tuned-onnxruntime": {"quantisation_aware_epochs": 1, "runtime": "onnxruntime"},
    "tuned-openvino": {"quantisation_aware_epochs": 1, "runtime": "openvino"},
    "kept-onnxruntime": {"float_share": 0.25, "runtime": "onnxruntime"},
    "kept-openvino": {"float_share": 0.25, "runtime": "openvino"},
    "controlled-openvino": {"accuracy_control": 0.02, "runtime": "openvino"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("int8")


@pytest.fixture(scope="module")
def trials(folder: Path) -> list[Mapping[str, Any]]:
    (folder / "study.yaml").write_text(STUDY)
    done = frontrunner("search", "study.yaml", "--home", "home", "--json", cwd=folder, timeout_s=1500)
    assert document(done)["failed"] == 0, done.stderr
    everything: list[Mapping[str, Any]] = document(
        frontrunner("front", "digits", "--home", "home", "--json", "--all", cwd=folder)
    )["all"]
    return everything


@pytest.mark.parametrize("kind", WANTED)
def test_it_is_exported_verified_and_runs_alone(kind: str, folder: Path, trials: list[Mapping[str, Any]]) -> None:
    (trial,) = [each for each in trials if WANTED[kind].items() <= each["configuration"].items()]
    exported = folder / kind
    done = frontrunner("export", "digits", "--to", exported, "--pick", trial["trial"], "--home", "home", cwd=folder)
    assert done.returncode == 0, done.stderr
    checked = document(frontrunner("verify", exported, "--json", "--home", "home", cwd=folder))
    assert checked["holds"] is True
    operators = {name for name in ("QuantizeLinear", "FakeQuantize") if name in _contents(exported)}
    assert operators, "nothing in the file is quantised"
    inputs, targets = WORKLOAD.splits["test"].batch(np.arange(len(WORKLOAD.splits["test"])))
    np.save(folder / f"{kind}.inputs.npy", inputs)
    process = start_predict(exported, folder / f"{kind}.inputs.npy", folder)
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    accuracy = float((np.load(exported.with_suffix(".npy")).argmax(axis=1) == targets).mean())
    claims = json.loads((exported / "frontrunner.json").read_text())["claims"]
    assert accuracy == pytest.approx(claims["accuracy_test"], abs=0.01)


def _contents(exported: Path) -> str:
    return "".join(
        file.read_bytes().decode("latin-1") for file in exported.iterdir() if file.suffix in (".onnx", ".xml")
    )
