"""What a process started and kept in its temporary folder goes with it, however it ends."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from runners.processes import owned_folder as owned
from runners.processes.owned_folder import folders_left, owned_folder
from runners.processes.process_cleanup import ProcessCleanup

pytestmark = pytest.mark.faults("driver killed")

OWNER = """
import subprocess, sys, time
from pathlib import Path
from runners.processes.process_cleanup import ProcessCleanup
cleanup = ProcessCleanup(Path(sys.argv[1]), "own-")
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
other = subprocess.Popen(sleep, stdout=subprocess.DEVNULL)
with cleanup.marked():
    child = subprocess.Popen(sleep, stdout=subprocess.DEVNULL, start_new_session=True)
(cleanup.folder / "log").write_text("kept for now")
print(cleanup.folder, child.pid, other.pid, flush=True)
if "closes" in sys.argv:
    cleanup.close()
    print("closed", flush=True)
time.sleep(60)
"""


def ended(pid: int) -> bool:
    """Whether there is no such process any more, within 10 s."""
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def gone(folder: Path) -> bool:
    """Whether the folder is removed within 10 s."""
    deadline = time.monotonic() + 10
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not folder.exists()


@pytest.mark.parametrize("how", ["killed", "closes"])
def test_marked_processes_and_the_folder_go_when_the_process_is_killed_or_closes_it(how: str, tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path), how], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        folder, child, other = process.stdout.readline().split()
        if how == "killed":
            assert Path(folder).stat().st_mode & 0o777 == 0o700, "for this account alone"
            process.kill()
            process.wait()
        else:
            assert process.stdout.readline() == "closed\n"
        assert ended(int(child))
        assert gone(Path(folder))
        assert psutil.pid_exists(int(other)), "what is not marked is left alone"
    finally:
        process.kill()
        process.wait()
        psutil.Process(int(other)).kill()


def test_a_folder_in_use_is_kept_and_one_of_a_process_that_died_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owned, "YOUNG_S", 0.0)
    died, foreign = tmp_path / "own-died", tmp_path / "other"
    for folder in (died, foreign):
        folder.mkdir()
    (tmp_path / "own-link").symlink_to(foreign)
    with owned_folder(tmp_path, "own-") as first, owned_folder(tmp_path, "own-") as second:
        assert first.is_dir()
        assert second.is_dir()
        assert not died.exists()
        assert folders_left(tmp_path, "own-") == []
    assert set(folders_left(tmp_path, "own-")) == {first, second}
    assert foreign.is_dir()


def test_a_folder_that_was_just_made_is_left_to_its_owner(tmp_path: Path) -> None:
    (tmp_path / "own-new").mkdir()
    ProcessCleanup(tmp_path, "own-").close()
    assert [path.name for path in tmp_path.iterdir()] == ["own-new"]
