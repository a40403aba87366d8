"""What is tuned with quantisers, or keeps layers in floating point, is exported and answers alike elsewhere."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runners_tests.backends.exported_artifact import start_predict, write_artifact
from runners_tests.cpu_limit import finish

from runners.backends import find_backend
from runners.chains.candidate_stages import CandidateStages
from runners.executors.inspection import inspect_on_this_machine
from runners.stages.run import run_stage
from runners.store.folder_store import FolderStore
from runners.workload_loading.reference import resolve
from spaces.configuration import Configuration
from spaces.space_document import make_space

pytestmark = pytest.mark.slow

CHOICES: dict[str, list[Any]] = {
    "numeric_precision": ["fp32", "int8"],
    "quantisation_aware_epochs": [0, 1],
    "runtime": ["eager", "onnxruntime", "openvino"],
    "float_share": [0.0, 0.25],
    "accuracy_control": [0.0, 0.02],
}
CANDIDATES: list[dict[str, Any]] = [
    {"runtime": "onnxruntime", "quantisation_aware_epochs": 1},
    {"runtime": "openvino", "quantisation_aware_epochs": 1},
    {"runtime": "onnxruntime", "float_share": 0.25},
    {"runtime": "openvino", "accuracy_control": 0.02},
]


@pytest.fixture(scope="module")
def stages() -> CandidateStages:
    environment, facts = inspect_on_this_machine("synthetic", CHOICES)
    space = make_space(CHOICES, environment)
    return CandidateStages(space, facts, "synthetic", 0, lambda epochs: (epochs,))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    return FolderStore(tmp_path_factory.mktemp("stages"))


@pytest.mark.parametrize("chosen", CANDIDATES, ids=lambda chosen: "-".join(map(str, chosen.values())))
def test_it_is_exported_and_runs_alone(
    chosen: dict[str, Any], stages: CandidateStages, store: FolderStore, tmp_path: Path
) -> None:
    configuration = Configuration({**stages.space.baseline(), "numeric_precision": "int8", **chosen})
    network = stages.network(configuration)
    lowering = stages.lowering(configuration, network[-1])
    for task in (*network, *lowering):
        assert run_stage(task, store).failure is None
    lowered = store.get(lowering[-1].key)
    assert lowered is not None
    workload = resolve("synthetic")
    inputs, _ = workload.splits["test"].batch(np.arange(32))
    runtime = chosen["runtime"]
    exported = write_artifact(tmp_path / "exported", runtime, "int8", lowered.folder, inputs[:1], workload.network)
    np.save(tmp_path / "inputs.npy", inputs)
    finish(start_predict(exported, tmp_path / "inputs.npy", tmp_path))
    expected = find_backend(runtime).open(lowered.folder, threads=1, batch=32, build=workload.network)(inputs)
    assert np.abs(np.load(exported.with_suffix(".npy")) - expected).max() <= 2e-2 * np.abs(expected).max()
    model = b"".join(file.read_bytes() for file in exported.iterdir() if file.suffix in (".onnx", ".xml"))
    assert b"QuantizeLinear" in model or b"FakeQuantize" in model, "nothing in the file is quantised"
