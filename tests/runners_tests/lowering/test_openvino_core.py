"""Two OpenVINO models in one process, of which the first goes first, leave its signal handlers working."""

import subprocess
import sys
from pathlib import Path

import pytest

from runners.backend import Trained
from runners.backends import find_backend
from runners.inputs import ExampleInputs
from runners.lowering.onnx_export import export
from runners.workloads.synthetic import WORKLOAD, make_network

PROGRAM = """
import gc, signal, subprocess, sys
from pathlib import Path
{opens}
heard = []
signal.signal(signal.SIGCHLD, lambda *given: heard.append(given))
first, second = load(Path(sys.argv[1]), 1), load(Path(sys.argv[1]), 1)
first({shape}), second({shape})
del first
gc.collect()
del second
gc.collect()
subprocess.run(["true"], check=True)
print(len(heard))
"""
HERE = """
import numpy
from runners.backends import find_backend
def load(folder, threads):
    return find_backend("openvino").open(folder, threads=threads, batch=1)
"""


@pytest.mark.parametrize("where", ["here", "in predict.py"])
def test_the_end_of_a_child_process_is_heard(where: str, tmp_path: Path) -> None:
    network, example = make_network().eval(), WORKLOAD.example_inputs
    assert export(network, example, tmp_path / "model.onnx") == ""
    (tmp_path / "lowered").mkdir()
    backend = find_backend("openvino")
    backend.lower(Trained(network, lambda: tmp_path / "model.onnx", example, "fp32"), tmp_path / "lowered")
    opens = HERE if where == "here" else f"import numpy\n{backend.loader_source()}"
    program = PROGRAM.format(opens=opens, shape=_zeros(example))
    command = [sys.executable, "-c", program, str(tmp_path / "lowered")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr


def _zeros(example: ExampleInputs) -> str:
    return f"numpy.zeros({example.arrays[0].shape}, numpy.float32)"
