"""What becomes of a stage where the disk or the store fails: one line of reason, and nothing half-written."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from runners.runner import FailureKind, StageFailed, StageOutcome, StageTask
from runners.stages.job import StageJob
from runners.stages.run import run_stage
from runners.store.folder_store import FolderStore
from runners.store.remote_files import Unreachable

ROOT = Path(__file__).resolve().parents[3]
TASK = StageTask("looking", "a" * 64, {}, {}, "digits", 0)
NEXT = StageTask("looking", "b" * 64, {}, {"parent": TASK.key}, "digits", 0)

ON_A_TINY_DISK = """
import subprocess, sys
from pathlib import Path
from types import ModuleType
folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder], check=True)
from runners.runner import StageTask
from runners.stages.run import run_stage
from runners.store.folder_store import FolderStore

def run(job):
    how = job.task.settings["how"]
    content = b"x" * job.task.settings["bytes"]
    if how == "torch":
        import torch
        torch.save(torch.zeros(len(content), dtype=torch.uint8), job.folder / "w.pt")
    elif how == "safetensors":
        import torch
        from safetensors.torch import save_file
        save_file({"w": torch.zeros(len(content), dtype=torch.uint8)}, job.folder / "w.safetensors")
    else:
        (job.folder / "w").write_bytes(content)
    return {}

stage = ModuleType("runners.stages.looking")
stage.run = run
sys.modules[stage.__name__] = stage
store = FolderStore(folder)
for number, (how, size) in enumerate([("plain", 2**20), ("torch", 2**20), ("safetensors", 2**20), ("plain", 100)]):
    key = f"{number:064d}"
    done = run_stage(StageTask("looking", key, {"how": how, "bytes": size}, {}, "digits", 0), store)
    left = list((folder / "unfinished").iterdir())
    print(done.failure_kind, done.failure, "|", store.get(key) is not None, left, flush=True)
"""


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Callable[[StageJob], Any]], None]:
    """Makes a function the stage called ``looking``."""
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(tmp_path / "leases"))
    module = ModuleType("runners.stages.looking")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def become(run: Callable[[StageJob], Any]) -> None:
        module.run = run  # type: ignore[attr-defined]

    return become


def write(job: StageJob) -> dict[str, Any]:
    (job.folder / "weights.bin").write_text("weights")
    return {"macs": 7}


def require_clean(store: FolderStore, outcome: StageOutcome, words: str, kind: FailureKind = "machine") -> None:
    assert outcome.failure is not None
    assert outcome.failure_kind == kind
    assert words in outcome.failure
    assert "\n" not in outcome.failure
    assert outcome.result == {}
    assert store.capacity.entries() == []
    assert [*(store.root / "unfinished").iterdir(), *(store.root / "users").iterdir()] == []


@pytest.mark.faults("disk full")
def test_a_full_disk_fails_the_stage_in_one_line_and_the_next_one_succeeds(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    command = ["unshare", "--user", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    done = subprocess.run(
        [*command, sys.executable, "-c", ON_A_TINY_DISK, tmp_path / "disk"],
        cwd=ROOT,
        env={**os.environ, "FRONTRUNNER_LEASES": str(tmp_path / "leases")},
        capture_output=True,
        text=True,
        check=True,
    )
    *full, last = done.stdout.splitlines()
    assert len(full) == 3
    for line in full:
        assert line.startswith("machine looking: no space is left on the disk of the stage store"), line
        assert line.endswith("`frontrunner cache prune` | False []"), line
    assert last == "candidate None | True []"


@pytest.mark.parametrize("code", [28, 122], ids=["disk full", "quota used up"])
def test_a_disk_that_is_full_when_the_result_is_synced_keeps_nothing(
    code: int, stage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage(write)
    store = FolderStore(tmp_path / "store")

    def refuse(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        require_clean(store, run_stage(TASK, store), "no space is left")
    assert run_stage(TASK, store).failure is None


@pytest.mark.faults("store damaged")
def test_a_store_that_vanishes_while_a_stage_runs_fails_it_and_is_made_again(stage: Any, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")

    def vanish(job: StageJob) -> dict[str, Any]:
        shutil.rmtree(tmp_path / "store")
        return write(job)

    stage(vanish)
    outcome = run_stage(TASK, store)
    assert outcome.failure is not None
    assert "No such file" in outcome.failure
    assert outcome.failure_kind == "machine"
    stage(write)
    assert run_stage(TASK, store).failure is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("an operator is missing"), "candidate"),
        (FileNotFoundError(2, "No such file or directory", "/data/image.png"), "candidate"),
        (StageFailed("the loss is not finite"), "candidate"),
        (StageFailed("the measuring process was killed by signal 9 (SIGKILL)", "process"), "process"),
        (RuntimeError("writing failed: No space left on device"), "machine"),
    ],
)
def test_a_failure_says_what_failed(error: Exception, kind: FailureKind, stage: Any, tmp_path: Path) -> None:
    def refuse(job: StageJob) -> dict[str, Any]:
        raise error

    stage(refuse)
    assert run_stage(TASK, FolderStore(tmp_path / "store")).failure_kind == kind


def test_a_store_that_does_not_answer_and_a_workload_that_is_gone_are_no_fault_of_the_candidate(
    stage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage(write)
    store = FolderStore(tmp_path / "store")
    gone = run_stage(replace(TASK, workload=str(tmp_path / "gone.py")), store)
    assert (gone.failure_kind, "gone.py" in str(gone.failure)) == ("machine", True)

    def away(*arguments: Any, **named: Any) -> Any:
        raise Unreachable("the stage store s3://bucket does not answer")

    for name in ("get", "put", "in_use"):
        with monkeypatch.context() as patch:
            patch.setattr(store, name, away)
            outcome = run_stage(TASK, store)
        assert outcome.failure == "looking: the stage store s3://bucket does not answer", name
        assert outcome.failure_kind == "machine", name


def test_an_input_that_was_lost_is_named(stage: Any, tmp_path: Path) -> None:
    stage(write)
    store = FolderStore(tmp_path / "store")
    assert run_stage(TASK, store).failure is None
    shutil.rmtree(tmp_path / "store")
    require_clean(
        store, run_stage(NEXT, FolderStore(tmp_path / "store")), "its parent was lost from the stage store", "candidate"
    )


def test_the_inputs_of_a_stage_under_way_are_not_evicted(stage: Any, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    stage(write)
    run_stage(TASK, store)
    old = 1_700_000_000
    os.utime(store.root / "entries" / "aa" / TASK.key / "manifest.json", (old, old))

    def look(job: StageJob) -> dict[str, Any]:
        store.capacity.evict(most_bytes=0)
        return {"there": (job.parent.folder / "weights.bin").exists()}

    stage(look)
    assert run_stage(NEXT, store).result == {"there": True}


def test_a_store_that_may_only_be_read_gives_what_it_has(
    stage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage(write)
    store = FolderStore(tmp_path / "store")
    run_stage(TASK, store)
    real = os.open

    def refuse(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & os.O_CREAT and str(path).startswith(str(store.root)):
            raise OSError(30, "Read-only file system")
        return real(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    assert run_stage(TASK, store).from_store
    failed = run_stage(NEXT, store)
    assert failed.failure is not None
    assert "Read-only file system" in failed.failure
    assert failed.failure_kind == "machine"


def test_the_manifest_says_what_the_key_was_made_from(stage: Any, tmp_path: Path) -> None:
    stage(write)
    store = FolderStore(tmp_path / "store")
    run_stage(TASK, store)
    manifest = store.capacity.manifest(TASK.key)
    assert manifest["origin"]["stage"] == "looking"
    assert json.loads(manifest["origin"]["configuration"]) == {}


def test_other_code_than_that_of_the_search_computes_nothing(
    stage: Callable[[Callable[[StageJob], Any]], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage(write)
    store = FolderStore(tmp_path / "stages")
    monkeypatch.setattr("runners.stages.run.code_of", lambda task: "code here")
    outcome = run_stage(replace(TASK, code="code of the search"), store)
    require_clean(store, outcome, "is not that with which the search was started")
    assert run_stage(replace(TASK, code="code here"), store).failure is None
