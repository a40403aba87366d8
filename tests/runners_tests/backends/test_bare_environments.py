"""``predict.py`` runs with its runtime and NumPy alone, in every number format that has no such test elsewhere."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from runners_tests.backends.exported_artifact import start_predict, write_artifact
from runners_tests.bare_environment import bare_environment, command, needed
from runners_tests.cpu_limit import finish

from runners.backend import Trained
from runners.backends import all_backends, find_backend
from runners.inputs import ExampleInputs
from runners.lowering.onnx_export import export
from runners.machine.device import describe
from spaces.space_document import find_technique
from spaces.technique import Earlier

OFTEN = [(name, "fp32") for name in ("onnxruntime", "openvino", "ncnn", "executorch")]
OFTEN += [("onnxruntime", "int8"), ("openvino", "int8"), ("openvino", "bf16"), ("eager", "bf16")]
OFTEN += [("torchscript", "bf16")]
"""Run with the contract of the backends, in `test_backends`; what compiles for long is in `test_compiled_backends`."""
PAIRS = [
    (name, precision)
    for name, backend in all_backends().items()
    if backend.unsupported() is None and not backend.compiles
    for precision in backend.precisions
    if (name, precision) not in OFTEN
]


def wide() -> torch.nn.Module:
    layers = (torch.nn.Linear(64, 512), torch.nn.ReLU(), torch.nn.Linear(512, 512), torch.nn.ReLU())
    return torch.nn.Sequential(torch.nn.Flatten(), *layers, torch.nn.Linear(512, 4))


def test_a_bare_environment_has_what_is_declared_and_no_more(tmp_path: Path) -> None:
    assert {"onnxruntime", "numpy", "flatbuffers"} <= set(needed("onnxruntime")) & set(needed("onnxruntime", "torch"))
    assert not {"torch", "frontrunner", "pytest"} & set(needed("onnxruntime"))
    program = tmp_path / "program.py"
    program.write_text("import numpy\ntry:\n    import torch\nexcept ImportError as error:\n    print(error)\n")
    alone = command(bare_environment(tmp_path / "alone", "numpy"), program)
    done = subprocess.run(alone, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("No module named 'torch'\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "precision"), PAIRS)
def test_predict_py_runs_with_its_runtime_alone(name: str, precision: str, inputs: Any, tmp_path: Path) -> None:
    technique = find_technique("numeric_precision")
    earlier = Earlier({}, model_changed=False)
    if reason := technique.unsupported(technique.parameters[0], precision, earlier, describe(all_backends())):
        pytest.skip(reason)
    torch.manual_seed(0)
    network, example, backend = wide().eval(), ExampleInputs.of(inputs[:1]), find_backend(name)
    export(network, example, tmp_path / "plain.onnx")
    (tmp_path / "lowered").mkdir()
    trained = Trained(network, lambda: tmp_path / "plain.onnx", example, precision, wide)
    backend.lower(trained, tmp_path / "lowered")
    folder = write_artifact(tmp_path / "exported", name, precision, tmp_path / "lowered", inputs[:1], wide)
    np.save(tmp_path / "inputs.npy", inputs[:8])
    printed = finish(start_predict(folder, tmp_path / "inputs.npy", tmp_path))
    print(name, precision, *printed.splitlines())
    expected = network(torch.from_numpy(inputs[:8])).detach().numpy()
    apart = np.abs(np.load(folder.with_suffix(".npy")) - expected).max() / np.abs(expected).max()
    assert apart < {"fp32": 1e-4, "int4_weight_only": 0.6}.get(precision, 0.1)
