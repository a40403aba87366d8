"""An artifact as a person has it: an exported folder, whose ``predict.py`` runs elsewhere and without Frontrunner."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from runners.artifacts.exported_folder import ExportedModel, write_exported_folder
from runners.inputs import ExampleInputs
from runners.measuring.opening import Artifact
from runners.workloads.synthetic import make_network

ISOLATED = """
import runpy, sys
for name in ("search", "spaces", "runners", "dashboards"):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def write_artifact(destination: Path, name: str, precision: str, folder: Path, example: Any) -> Path:
    """The exported folder of what the backend called ``name`` wrote for the synthetic network."""
    model = ExportedModel(
        artifact=Artifact(folder, name, threads=1),
        precision=precision,
        build=make_network,
        example=ExampleInputs.of(example),
        configuration={"runtime": name, "numeric_precision": precision},
        claims={"accuracy": 0.9},
        baseline={"accuracy": 0.9},
        measured={"device": "this machine"},
        workload="synthetic",
    )
    return write_exported_folder(destination, model)


def start_predict(exported: Path, inputs: Path, elsewhere: Path) -> "subprocess.Popen[str]":
    """Its ``predict.py`` at work on the ``.npy`` file ``inputs``; it saves the outputs beside the folder."""
    arguments = ["--input", str(inputs), "--save", str(exported.with_suffix(".npy"))]
    command = [sys.executable, "-I", "-c", ISOLATED, str(exported / "predict.py"), *arguments]
    return subprocess.Popen(command, cwd=elsewhere, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
