"""What an export that was killed leaves is removed by the next one to the same place."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from runners_tests.artifacts.short_verification import shorten

from runners.artifacts.exported_folder import ExportedModel, write_exported_folder
from runners.backend import Trained
from runners.backends import find_backend
from runners.measuring.opening import Artifact
from runners.workloads.synthetic import WORKLOAD

pytestmark = pytest.mark.faults("driver killed")


def export(folder: Path, check: Callable[[Path], None]) -> Path:
    lowered = folder / "lowered"
    if not lowered.exists():
        lowered.mkdir()
        trained = Trained(WORKLOAD.model().eval(), lambda: Path(), WORKLOAD.example_inputs, "fp32")
        find_backend("torchscript").lower(trained, lowered)
    figures = {"accuracy": 0.5, "speedup": 1.0, "speedup_ci95": [1.0, 1.0]}
    model = ExportedModel(
        artifact=Artifact(lowered, "torchscript", threads=1),
        precision="fp32",
        build=WORKLOAD.model,
        example=WORKLOAD.example_inputs,
        workload="synthetic",
        configuration={},
        claims=figures,
        baseline=figures,
        measured={"device": "a machine", "baseline_threads": 1, "seed": 0},
        origin={"workload": "synthetic"},
    )
    return write_exported_folder(folder / "exported", model, check=check)


def killed_export(folder: Path) -> None:
    """Export in a child that is killed before the folder gets its name."""
    child = os.fork()
    if not child:
        export(folder, check=lambda written: os.kill(os.getpid(), signal.SIGKILL))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_an_export_removes_what_one_that_was_killed_left_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch, tmp_path)
    other = tmp_path / ".exported2"
    other.mkdir()
    killed_export(tmp_path)
    (left,) = tmp_path.glob(".exported-*")
    monkeypatch.setattr("runners.processes.owned_folder.YOUNG_S", 0.0)
    exported = export(tmp_path, check=lambda written: None)
    assert exported.is_dir()
    assert (left.exists(), other.exists()) == (False, True)
    assert list(tmp_path.glob(".exported-*")) == []
