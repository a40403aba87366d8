"""Training by several workers where one does not start, or does not live to the end."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import pytest

from runners.lowering.weights import save_network
from runners.processes.fresh_process import HANG_TIMEOUT_S, FreshProcess
from runners.runner import StageFailed
from runners.training import worker_processes
from runners.training.settings import Level, LevelFolders, TrainingSettings
from runners.training.worker_processes import train_in_parallel
from runners.workload_loading.reference import resolve
from spaces.plans import TrainingPlan

WORKLOAD = """
import os, time
from pathlib import Path
from torch import distributed
from runners.workload import Workload
from runners.workloads.synthetic import make_network, make_splits


def loss(outputs, targets):
    Path(__file__).with_name(f"{os.getpid()}.pid").touch()
    if distributed.get_rank() == 1:
        HAPPENS
    return outputs.square().mean()


WORKLOAD = Workload("odd", make_network, make_splits, loss=loss)
"""


def train(folder: Path, happens: str, strategy: str = "data-parallel") -> float:
    (folder / "odd.py").write_text(WORKLOAD.replace("HAPPENS", happens))
    reference = f"{folder / 'odd.py'}:WORKLOAD"
    save_network(resolve(reference).model(), folder)
    plan = asdict(TrainingPlan(epochs=1, batch_size=40, workers=2, strategy=strategy))
    level = Level.whole(TrainingSettings.from_json({**plan, "autocast": "fp32"}), 0)
    return train_in_parallel(reference, level, LevelFolders(folder, None, folder), threads=1)


@pytest.mark.parametrize(
    ("happens", "failure", "kind"),
    [
        ("os.kill(os.getpid(), 9)", "training worker 1 was killed by signal 9", "process"),
        ("time.sleep(600)", "training worker 0 and training worker 1 did nothing for 5 s and were ended", "candidate"),
    ],
)
def test_where_a_worker_dies_or_hangs_all_are_ended_and_the_reason_told(
    happens: str, failure: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_processes, "HANG_TIMEOUT_S", 5.0)
    with pytest.raises(StageFailed, match=failure) as raised:
        train(tmp_path, happens)
    assert raised.value.kind == kind


@pytest.mark.parametrize("strategy", ["sharded", "pipeline"])
def test_a_worker_killed_while_the_other_waits_for_its_message_leaves_no_process(strategy: str, tmp_path: Path) -> None:
    begin = time.monotonic()
    with pytest.raises(StageFailed, match="training worker 1 was killed by signal 9") as raised:
        train(tmp_path, "os.kill(os.getpid(), 9)", strategy)
    assert raised.value.kind == "process", "it is sent again"
    assert time.monotonic() - begin < HANG_TIMEOUT_S / 2, "it did not wait for the limit of a process that hangs"
    started = [int(file.stem) for file in tmp_path.glob("*.pid")]
    assert started
    assert not [pid for pid in started if psutil.pid_exists(pid)]


def test_where_the_second_worker_does_not_start_the_first_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[FreshProcess] = []

    def start(*given: Any) -> FreshProcess:
        if made:
            raise OSError("too many processes")
        made.append(FreshProcess(*given))
        return made[0]

    monkeypatch.setattr(worker_processes, "FreshProcess", start)
    with pytest.raises(OSError, match="too many"):
        train(tmp_path, "pass")
    assert not made[0]._process.is_alive()
