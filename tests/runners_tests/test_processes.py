"""Fresh processes: what they return, how they fail, and that none is left behind."""

import os
import signal
import subprocess
import time

import psutil
import pytest

from runners.processes import VISIBLE_DEVICES, _see_only, call_fresh
from runners.runner import StageFailed


def _add(a: int, b: int) -> tuple[int, int]:
    return a + b, os.getpid()


def _visible(name: str) -> str | None:
    return os.environ.get(name)


def _raise() -> None:
    raise ValueError("the model is odd")


def _kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _leave() -> None:
    os._exit(3)


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
    _see_only({name: None})
    assert name not in os.environ


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (_raise, "judging: ValueError: the model is odd"),
        (_kill_itself, "judging was killed by signal 9 .SIGKILL."),
        (_leave, "judging ended early with exit code 3"),
    ],
)
def test_a_process_that_fails_says_how(function, words) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(StageFailed, match=words):
        call_fresh(function, timeout_s=60, what="judging")


def test_a_process_that_hangs_is_ended_with_all_that_it_started(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "child"
    with pytest.raises(StageFailed, match="did not end within 2 s"):
        call_fresh(_hang, str(path), timeout_s=2, what="judging")
    child = int(path.read_text())
    deadline = time.monotonic() + 5
    while psutil.pid_exists(child) and psutil.Process(child).status() != "zombie" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie"
