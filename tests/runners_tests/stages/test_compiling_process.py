"""A compiler that crashes, or never ends, ends its own process alone, and the reason is told."""

from pathlib import Path

import pytest

from runners.backends import all_backends
from runners.runner import StageTask
from runners.stages import run
from runners.stages.run import run_stage
from runners.store.folder_store import FolderStore
from runners.workload_loading.reference import resolve

SOURCE = """
import multiprocessing, os, signal, time

from runners.backends.aotinductor import AotInductor
from runners.workload import Workload
from runners.workloads.synthetic import make_network, make_splits


def lower(self, trained, folder):
    HAPPENS


if multiprocessing.parent_process() is not None:  # a process of its own
    AotInductor.lower = lower
WORKLOAD = Workload("broken", make_network, make_splits, pretrained=True)
"""


@pytest.mark.parametrize(
    ("happens", "limit_s", "failure"),
    [
        ("time.sleep(600)", 2.0, "did nothing for 2 s and was ended"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", 60.0, "was killed by signal 11 (SIGSEGV)"),
    ],
    ids=["hangs", "crashes"],
)
def test_a_compiler_that_does_not_return_fails_the_stage_with_the_reason(
    happens: str, limit_s: float, failure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(tmp_path / "leases"))
    monkeypatch.setattr(run, "COMPILING_TIMEOUT_S", limit_s)
    (tmp_path / "broken.py").write_text(SOURCE.replace("HAPPENS", happens))
    reference, store = f"{tmp_path / 'broken.py'}:WORKLOAD", FolderStore(tmp_path / "store")
    resolve(reference)
    teacher = StageTask("teacher", "a" * 64, {"plan": {}, "pretrained": True}, {}, reference, 0)
    assert run_stage(teacher, store).failure is None
    settings = {"runtime": "aotinductor", "precision": "fp32", "options": {}}
    outcome = run_stage(StageTask("lowering", "b" * 64, settings, {"parent": teacher.key}, reference, 0), store)
    assert outcome.failure == f"lowering: its own process {failure}"
    assert [*(store.root / "unfinished").iterdir()] == []


def test_what_compiles_is_lowered_in_a_process_of_its_own() -> None:
    assert {"aotinductor", "inductor"} <= {name for name, backend in all_backends().items() if backend.compiles}
