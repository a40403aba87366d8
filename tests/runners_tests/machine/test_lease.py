"""Leases of a device: who waits for whom, between real processes."""

import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Timer
from types import ModuleType
from typing import Any

import pytest

from runners.machine.lease import FOLDER, SHARED, device_lease
from runners.runner import StageTask
from runners.stages.job import StageJob
from runners.stages.run import run_stage
from runners.store.folder_store import FolderStore
from spaces.errors import RequestError

PATIENCE_S = 60.0  # only so that a broken lease ends a test at all

HOLD = """
import os, signal, sys
from runners.machine.lease import device_lease
exclusive, forks = sys.argv[1] == "measuring", sys.argv[2:] == ["forks"]
device = os.environ.get("DEVICE", "cpu")
with device_lease(device, exclusive=exclusive, waiting=lambda: print("waits", flush=True)):
    if forks and os.fork() == 0:
        signal.pause()
    print("holds", flush=True)
    sys.stdin.readline()
if forks:
    print("gave it up", flush=True)
    sys.stdin.readline()
"""

HOLD_REPEATEDLY = """
import os, sys, time
from runners.machine.lease import device_lease
kind, name, log, times = sys.argv[1:]
out = os.open(log, os.O_WRONLY | os.O_APPEND)
for _ in range(int(times)):
    with device_lease(exclusive=kind == "measuring"):
        os.write(out, f"{kind} {name} begins\\n".encode())
        time.sleep(0.01)
        os.write(out, f"{kind} {name} ends\\n".encode())
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(autouse=True)
def leases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of leases that no search on this machine uses."""
    monkeypatch.setenv(FOLDER, str(tmp_path / "leases"))
    return tmp_path / "leases"


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a program; all are gone afterwards, and after a minute in any case."""
    started: list[subprocess.Popen[str]] = []

    def run(program: str, *arguments: object) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", program, *map(str, arguments)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        return process

    def end() -> None:
        for process in started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    alarm = Timer(PATIENCE_S, end)
    alarm.start()
    yield run
    alarm.cancel()
    end()
    for process in started:
        process.communicate()


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def has_it(process: "subprocess.Popen[str]") -> bool:
    """Whether it comes to hold the lease, perhaps after it said that it waits."""
    assert process.stdout is not None
    return any(line == "holds\n" for line in process.stdout)


def release(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def hold_repeatedly(start: Start, log: Path, *kinds: str, times: int = 8) -> list[str]:
    """What was logged while one process of each kind took the lease again and again."""
    log.touch()
    processes = [start(HOLD_REPEATEDLY, kind, number, log, times) for number, kind in enumerate(kinds)]
    assert [process.wait() for process in processes] == [0] * len(kinds)
    lines = log.read_text().splitlines()
    assert len(lines) == 2 * times * len(kinds)
    return lines


def beside_a_measurement(lines: list[str]) -> list[str]:
    """Whatever began or ended between the begin and the end of a measurement."""
    inside, found = "", []
    for line in lines:
        who, what = line.rsplit(" ", 1)
        if inside and who != inside:
            found.append(f"{line} beside {inside}")
        elif who.startswith("measuring"):
            inside = who if what == "begins" else ""
    return found


def test_measurements_of_several_processes_never_overlap(start: Start, tmp_path: Path) -> None:
    assert beside_a_measurement(hold_repeatedly(start, tmp_path / "log", *["measuring"] * 3)) == []


def test_nothing_trains_beside_a_measurement(start: Start, tmp_path: Path) -> None:
    lines = hold_repeatedly(start, tmp_path / "log", "training", "training", "measuring", "measuring")
    assert beside_a_measurement(lines) == []
    assert {line.split()[0] for line in lines} == {"training", "measuring"}


def test_trainings_share_the_device(start: Start) -> None:
    one, other = start(HOLD, "training"), start(HOLD, "training")
    assert has_it(one)
    assert has_it(other)


def test_a_training_waits_for_a_measurement_and_says_so(start: Start) -> None:
    measuring = start(HOLD, "measuring")
    assert has_it(measuring)
    training = start(HOLD, "training")
    assert said(training) == "waits"
    release(measuring)
    assert has_it(training)


def test_no_training_overtakes_a_measurement_that_waits(start: Start) -> None:
    early = start(HOLD, "training")
    assert has_it(early)
    measuring = start(HOLD, "measuring")
    assert said(measuring) == "waits"
    late = start(HOLD, "training")
    assert said(late) == "waits"
    release(early)
    assert has_it(measuring)
    release(measuring)
    assert has_it(late)


@pytest.mark.parametrize("kind", ["measuring", "training"])
def test_a_process_that_is_killed_gives_its_lease_up_though_a_child_of_it_lives(start: Start, kind: str) -> None:
    holder = start(HOLD, kind, "forks")
    assert has_it(holder)
    waiter = start(HOLD, "measuring")
    assert said(waiter) == "waits"
    holder.kill()
    assert has_it(waiter)


def test_a_killed_waiter_holds_nobody_up(start: Start) -> None:
    holder = start(HOLD, "training")
    assert has_it(holder)
    waiter = start(HOLD, "measuring")
    assert said(waiter) == "waits"
    waiter.kill()
    waiter.wait()
    assert has_it(start(HOLD, "training"))


def test_a_lease_given_up_does_not_stay_with_a_child(start: Start) -> None:
    holder = start(HOLD, "measuring", "forks")
    assert has_it(holder)
    release(holder)
    assert said(holder) == "gave it up"
    assert has_it(start(HOLD, "measuring"))


@pytest.mark.parametrize("removed", ["file", "folder"])
def test_a_lease_whose_file_was_removed_while_it_was_waited_for_is_held_by_one_alone(
    removed: str, start: Start, leases: Path
) -> None:
    holder = start(HOLD, "measuring")
    assert has_it(holder)
    early = start(HOLD, "measuring")
    assert said(early) == "waits"
    if removed == "file":
        (leases / "cpu.lock").unlink()
    else:
        shutil.rmtree(leases)
    release(holder)
    assert has_it(early)
    late = start(HOLD, "measuring")
    assert said(late) == "waits"
    release(early)
    assert has_it(late)


def test_taking_a_lease_renews_its_files_for_whatever_removes_old_ones(leases: Path) -> None:
    with device_lease(exclusive=True):
        pass
    for file in leases.iterdir():
        os.utime(file, (0, 0))
    with device_lease(exclusive=True):
        pass
    assert [file.stat().st_mtime > 0 for file in leases.iterdir()] == [True, True]


def test_searches_with_other_folders_for_temporary_files_wait_for_each_other(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of the machine is a real one: the device is one that nobody else asks for."""
    device = f"test-{uuid.uuid4().hex}"
    monkeypatch.delenv(FOLDER)
    monkeypatch.setenv("DEVICE", device)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    try:
        assert has_it(start(HOLD, "measuring"))
        monkeypatch.delenv("TMPDIR")
        assert said(start(HOLD, "measuring")) == "waits"
    finally:
        for file in SHARED.glob(f"{device}.*"):
            file.unlink()


def test_leases_of_two_devices_are_independent(start: Start) -> None:
    holder = start(HOLD, "measuring")
    assert has_it(holder)
    with device_lease("cuda:0", exclusive=True):
        assert holder.poll() is None


def test_other_accounts_can_take_leases_whatever_the_umask(leases: Path) -> None:
    before = os.umask(0o077)
    try:
        with device_lease(exclusive=True):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(leases.stat().st_mode) == 0o1777
    assert {stat.S_IMODE(file.stat().st_mode) for file in leases.iterdir()} == {0o666}
    assert {file.name for file in leases.iterdir()} == {"cpu.lock", "cpu.queue"}


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    for unusable in (tmp_path / "file", tmp_path / "file" / "leases"):
        monkeypatch.setenv(FOLDER, str(unusable))
        with (
            pytest.raises(RequestError, match=f"cannot be used .*; make it writable, or name another with {FOLDER}"),
            device_lease(exclusive=True),
        ):
            pass


def test_a_link_in_a_lease_s_place_is_not_followed(leases: Path, tmp_path: Path) -> None:
    leases.mkdir()
    for target in (tmp_path / "absent", tmp_path):
        (leases / "cpu.lock").unlink(missing_ok=True)
        (leases / "cpu.lock").symlink_to(target)
        with pytest.raises(RequestError, match="cannot be used"), device_lease(exclusive=True):
            pass
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_stage_runs_under_the_lease_that_it_needs(
    exclusive: bool, leases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(job: StageJob) -> dict[str, Any]:
        return {"alone": _refused(leases, fcntl.LOCK_SH), "held": _refused(leases, fcntl.LOCK_EX)}

    stage = ModuleType("runners.stages.looking")
    stage.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, stage.__name__, stage)
    task = StageTask("looking", "a" * 64, {}, {}, "digits", 0, exclusive=exclusive)
    outcome = run_stage(task, FolderStore(tmp_path / "store"))
    assert outcome.failure is None
    assert outcome.result == {"alone": exclusive, "held": True}
    assert not _refused(leases, fcntl.LOCK_EX)


def _refused(leases: Path, how: int) -> bool:
    """Whether somebody else could not have the lock now."""
    with (leases / "cpu.lock").open() as file:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
