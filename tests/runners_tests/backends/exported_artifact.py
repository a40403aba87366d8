"""An artifact as a person has it: an exported folder, whose ``predict.py`` runs elsewhere with its runtime alone."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runners_tests.bare_environment import bare_environment, command
from runners_tests.cpu_limit import start

from runners.artifacts.exported_folder import ExportedModel, write_exported_folder
from runners.inputs import ExampleInputs
from runners.measuring.opening import Artifact
from runners.workloads.synthetic import make_network


def write_artifact(
    destination: Path, name: str, precision: str, folder: Path, example: Any, build: Callable[[], Any] = make_network
) -> Path:
    """The exported folder of what the backend called ``name`` wrote for the network that ``build`` makes."""
    model = ExportedModel(
        artifact=Artifact(folder, name, threads=1),
        precision=precision,
        build=build,
        example=ExampleInputs.of(example),
        configuration={"runtime": name, "numeric_precision": precision},
        claims={"accuracy": 0.9},
        baseline={"accuracy": 0.9},
        measured={"device": "this machine"},
        workload="synthetic",
    )
    return write_exported_folder(destination, model)


def start_predict(exported: Path, inputs: Path, elsewhere: Path) -> "subprocess.Popen[str]":
    """Its ``predict.py`` at work on the ``.npy`` file ``inputs``; it saves the outputs beside the folder.

    It has Python's own library, the packages that its first line names and what these declare to need.
    """
    arguments = ["--input", str(inputs), "--save", str(exported.with_suffix(".npy"))]
    line = (exported / "predict.py").read_text().partition("needs ")[2].splitlines()[0]
    named = [part.split()[0].strip('."') for part in line.split(" and ")]
    alone = bare_environment(exported.with_suffix(".alone"), *named)
    run = command(alone, exported / "predict.py", *arguments)
    return start(run, cwd=elsewhere)
