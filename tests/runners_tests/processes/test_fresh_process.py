"""Fresh processes: what they return, how they fail, and that none is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from runners_tests.process_ends import ends_within

from runners.processes.fresh_process import call_fresh
from runners.processes.process_body import VISIBLE_DEVICES, set_visible_devices
from runners.processes.progress import report_progress
from runners.runner import StageFailed


def _add(a: int, b: int) -> tuple[int, int]:
    return a + b, os.getpid()


def _visible(name: str) -> str | None:
    return os.environ.get(name)


def _raise() -> None:
    raise ValueError("the model is odd")


def _kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _lose_a_worker() -> None:
    raise StageFailed("a worker was killed", "process")


def _leave() -> None:
    os._exit(3)


def _print() -> None:
    print("the model says hello", flush=True)


def _crash_beside_a_child(path: str) -> None:
    child = subprocess.Popen(["sleep", "600"], close_fds=False)
    with open(path, "w") as file:
        file.write(str(child.pid))
    os.kill(os.getpid(), signal.SIGSEGV)


def _work_slowly() -> str:
    for _ in range(8):
        time.sleep(0.5)
        report_progress()
    return "done"


def _hang(path: str) -> None:
    child = subprocess.Popen(["sleep", "600"])
    with open(path, "w") as file:
        file.write(str(child.pid))
    time.sleep(600)


def test_the_result_comes_from_another_process() -> None:
    total, process = call_fresh(_add, 2, 3, timeout_s=60, what="adding")
    assert total == 5
    assert process != os.getpid()


@pytest.mark.parametrize("name", VISIBLE_DEVICES)
def test_a_process_sees_the_devices_that_its_caller_sees_now(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for choice in ("0", "1,2"):
        monkeypatch.setenv(name, choice)
        assert call_fresh(_visible, name, timeout_s=60, what="looking") == choice
    monkeypatch.delenv(name)
    assert call_fresh(_visible, name, timeout_s=60, what="looking") is None


def test_a_choice_that_the_server_was_started_with_does_not_outlive_it(monkeypatch: pytest.MonkeyPatch) -> None:
    name = VISIBLE_DEVICES[0]
    monkeypatch.setenv(name, "7")
    set_visible_devices({name: None})
    assert name not in os.environ


@pytest.mark.parametrize(
    ("function", "words", "kind"),
    [
        (_raise, "judging: ValueError: the model is odd", "candidate"),
        (_kill_itself, "judging was killed by signal 9 .SIGKILL.", "process"),
        (_leave, "judging ended early with exit code 3", "process"),
        (_lose_a_worker, "judging: a worker was killed", "process"),
    ],
)
def test_a_process_that_fails_says_how(function, words, kind) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(StageFailed, match=words) as raised:
        call_fresh(function, timeout_s=60, what="judging")
    assert raised.value.kind == kind


def test_a_process_that_hangs_is_ended_with_all_that_it_started(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "child"
    with pytest.raises(StageFailed, match="did nothing for 2 s"):
        call_fresh(_hang, str(path), timeout_s=2, what="judging")
    assert ends_within(5, int(path.read_text()))


def test_a_process_that_crashes_says_so_and_leaves_nothing_that_it_started(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "child"
    with pytest.raises(StageFailed, match="judging was killed by signal 11"):
        call_fresh(_crash_beside_a_child, str(path), timeout_s=60, what="judging")
    assert ends_within(5, int(path.read_text()))


def test_a_time_limit_is_for_a_process_that_does_nothing() -> None:
    assert call_fresh(_work_slowly, timeout_s=2, what="judging") == "done"


CALLER = """
import sys
from runners.processes.fresh_process import call_fresh
from runners_tests.processes import test_fresh_process
call_fresh(getattr(test_fresh_process, sys.argv[1]), *sys.argv[2:], timeout_s=600, what="judging")
"""


def _caller(*arguments: str) -> "subprocess.Popen[str]":
    """A program that calls one of the functions above in a fresh process."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", CALLER, *arguments]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_what_a_process_prints_goes_to_the_standard_error() -> None:
    with _caller("_print") as caller:
        out, errors = caller.communicate()
    assert out == ""
    assert "the model says hello" in errors


@pytest.mark.faults("driver killed")
def test_a_process_ends_with_a_caller_that_was_killed_and_so_does_all_that_it_started(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "child"
    with _caller("_hang", str(path)) as caller:
        deadline = time.monotonic() + 60
        while not (path.exists() and path.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        caller.kill()
    assert ends_within(5, int(path.read_text()))


def test_what_the_server_was_asked_to_import_is_imported_in_every_process() -> None:
    program = """
from runners.processes.fork_server import start_server
from runners.processes.fresh_process import call_fresh
start_server(("wave", "no_such_library"))
print(call_fresh(eval, "[name in __import__('sys').modules for name in ('wave', 'scipy.special')]", what="looking"))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "[True, True]", done.stderr
