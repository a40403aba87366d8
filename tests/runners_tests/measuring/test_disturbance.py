"""What others do to the cores, read from files like those of Linux, and seen beside a real busy process."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runners.measuring import disturbance
from runners.measuring.disturbance import CoreSharing, CoreUse, Taken, waited_s

SPIN = "import os, sys\nos.sched_setaffinity(0, [int(sys.argv[1])])\nprint('spins', flush=True)\nwhile True: pass"


def test_the_waiting_of_all_threads_is_added_up_and_threads_that_ended_are_passed_over(tmp_path: Path) -> None:
    for task, line in {"1": "900 2000000000 7", "2": "900 500000000 7", "3": ""}.items():
        (tmp_path / task).mkdir()
        (tmp_path / task / "schedstat").write_text(line)
    (tmp_path / "4").mkdir()
    assert waited_s(tmp_path) == pytest.approx(2.5)
    assert waited_s(tmp_path / "nowhere") == 0.0


def test_the_share_of_others_is_what_was_busy_and_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat, own = tmp_path / "stat", [0.0]
    monkeypatch.setattr(disturbance, "TICKS_PER_S", 100)
    monkeypatch.setattr(time, "process_time", lambda: own[0])

    def counts(user: int, idle: int, steal: int) -> None:
        lines = [f"cpu{core} {n * user} 0 0 {n * idle} 0 0 0 {n * steal} 0 0" for core, n in ((0, 1), (1, 9))]
        stat.write_text("\n".join(["cpu 1 1 1 1 1 1 1 1 0 0", *lines, "intr 1 2"]))

    counts(0, 0, 0)
    use = CoreUse([0], stat)
    counts(user=60, idle=30, steal=10)
    own[0] = 0.5
    assert use.taken().by_programs == pytest.approx((0.6 + 0.1 - 0.5) / 1.0)
    assert use.taken().by_host == pytest.approx(0.1)
    own[0] = 0.8
    assert use.taken().by_programs == 0.0, "the two clocks may differ a little"
    assert CoreUse([0], tmp_path / "none").taken() == Taken()


def test_a_busy_process_on_the_same_core_is_seen_in_both_counts() -> None:
    core = min(os.sched_getaffinity(0))
    program = f"""
import os, time
os.sched_setaffinity(0, [{core}])
from runners.measuring.disturbance import CoreUse, waited_s
use, waited, end = CoreUse([{core}]), waited_s(), time.perf_counter() + 1.0
while time.perf_counter() < end: pass
print(use.taken().by_programs, waited_s() - waited)
"""
    with subprocess.Popen([sys.executable, "-c", SPIN, str(core)], stdout=subprocess.PIPE) as spinning:
        try:
            assert spinning.stdout is not None
            spinning.stdout.readline()
            answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        finally:
            spinning.kill()
    share, waited = map(float, answer.stdout.split())
    assert share > 0.2
    assert waited > 0.2


def test_two_cores_are_one_where_each_is_slow_while_the_other_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disturbance, "_medians_s", lambda cores: {0: 1.0, 1: 1.85 if len(cores) > 1 else 1.0})
    assert CoreSharing(tmp_path)([0, 1])
    monkeypatch.setattr(disturbance, "_medians_s", lambda cores: {0: 1.0, 1: 1.15 if len(cores) > 1 else 1.0})
    assert not CoreSharing(tmp_path)([0, 1])
    monkeypatch.setattr(disturbance, "_medians_s", lambda cores: {0: 1.0, 1: 2.0})  # a slower core, whoever is busy
    assert not CoreSharing(tmp_path)([0, 1])
    assert not CoreSharing(tmp_path)([0])


def test_hyperthreads_that_the_system_knows_as_such_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disturbance, "_medians_s", lambda cores: dict.fromkeys(cores, 1.85 if len(cores) > 1 else 1.0))
    for cpu, siblings in {0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3", 4: "4", 5: "5"}.items():
        (tmp_path / f"cpu{cpu}/topology").mkdir(parents=True)
        (tmp_path / f"cpu{cpu}/topology/thread_siblings_list").write_text(siblings)
    assert not CoreSharing(tmp_path)([0, 1, 2, 3])
    assert CoreSharing(tmp_path)([0, 1, 4, 5])


def test_the_computation_runs_on_every_core_that_is_asked_for() -> None:
    cores = sorted(os.sched_getaffinity(0))[:2]
    medians = disturbance._medians_s(cores)
    assert sorted(medians) == cores
    assert all(1e-6 < seconds < 0.1 for seconds in medians.values())
    assert sorted(os.sched_getaffinity(0))[:2] == cores, "the caller stays where it was"


def test_cores_that_are_one_are_seen_beside_a_program_that_makes_each_of_them_slow_alone_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sharing, quiet = CoreSharing(tmp_path), dict.fromkeys([0, 1], 1.0)
    monkeypatch.setattr(disturbance, "_medians_s", lambda cores: quiet)
    assert not sharing([0, 1])
    monkeypatch.setattr(disturbance, "_medians_s", lambda cores: dict.fromkeys(cores, 1.85))
    assert sharing([0, 1])
