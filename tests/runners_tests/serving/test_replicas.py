"""Serving replicas: real programs, side by side, and what is said of those that crash or hang."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from runners_tests.process_ends import ends_within
from runners_tests.trapped import CHATTY, FORK, HANG, RAISE, lower

from runners.measuring.opening import Artifact
from runners.runner import StageFailed
from runners.serving import program
from runners.serving.replicas import Serving, serve
from runners.workload_loading.reference import resolve


def served(reference: str, folder: Path, count: int = 1) -> Serving:
    inputs = np.zeros((8, 1, 8, 8), np.float32)
    return serve(Artifact(folder, "eager", threads=1), reference, count, [(inputs,)], seconds=0.2)


def test_every_replica_is_a_program_that_loads_and_serves(trapped: str, tmp_path: Path) -> None:
    found = served(trapped, lower(resolve(trapped), 0, tmp_path), count=2)
    assert found.throughput_per_s > 100
    assert found.load_ms > 0
    assert 50 < found.peak_memory_mib < 4000


def test_a_replica_that_fails_says_why(trapped: str, tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match="a serving replica ended early: ValueError: the kernel is not for this"):
        served(trapped, lower(resolve(trapped), RAISE, tmp_path))


def test_a_network_that_prints_a_lot_is_served_well(
    trapped: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "TIMEOUT_S", 30.0)
    assert served(trapped, lower(resolve(trapped), CHATTY, tmp_path)).throughput_per_s > 0


def test_a_replica_that_ends_is_not_waited_for_because_something_that_it_forked_lives(
    trapped: str, tmp_path: Path
) -> None:
    begin = time.monotonic()
    with pytest.raises(StageFailed, match="a serving replica ended early: exit code 3"):
        served(trapped, lower(resolve(trapped), FORK, tmp_path))
    assert time.monotonic() - begin < 15


def test_files_in_the_current_folder_do_not_take_the_place_of_ours(
    trapped: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runners.py").write_text("raise ImportError('this is not the package')")
    monkeypatch.chdir(tmp_path)
    assert served(trapped, lower(resolve(trapped), 0, tmp_path)).throughput_per_s > 0


@pytest.mark.slow
def test_a_replica_that_hangs_is_ended_with_all_that_it_started(
    trapped: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "left-behind"
    monkeypatch.setenv("LEFT_BEHIND", str(note))
    monkeypatch.setattr(program, "TIMEOUT_S", 15.0)
    with pytest.raises(StageFailed, match="a serving replica did not end within 15 s and was ended"):
        served(trapped, lower(resolve(trapped), HANG, tmp_path))
    assert [ends_within(5, int(process)) for process in note.read_text().split()] == [True, True]


SERVER = """
import sys
from pathlib import Path
from runners_tests.serving import test_replicas
test_replicas.served(sys.argv[1], Path(sys.argv[2]))
"""


def test_a_replica_that_hangs_does_not_outlive_the_process_that_serves(trapped: str, tmp_path: Path) -> None:
    note = tmp_path / "left-behind"
    folder = lower(resolve(trapped), HANG, tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "LEFT_BEHIND": str(note)}
    with subprocess.Popen([sys.executable, "-c", SERVER, trapped, str(folder)], env=environment) as server:
        deadline = time.monotonic() + 60
        while not (note.exists() and note.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        server.kill()
    child, replica = map(int, note.read_text().split())
    os.kill(child, signal.SIGKILL)
    assert ends_within(5, replica)
