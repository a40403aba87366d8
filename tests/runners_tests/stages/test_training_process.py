"""A stage that trains has a process of its own, which is ended where it hangs and leaves no accelerator in use."""

import os
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from runners.machine.resources import STAGES_THAT_TRAIN, TRAINING_STAGES
from runners.runner import StageOutcome, StageTask
from runners.stages import run
from runners.stages.run import run_stage
from runners.store.folder_store import FolderStore
from runners.workload_loading.reference import resolve

SOURCE = """
import os
from pathlib import Path
from torch import nn
from runners.workload import Workload
from runners.workloads.synthetic import make_splits
from spaces.plans import TrainingPlan


def make_network():
    with Path(__file__).with_name("processes").open("a") as file:
        print(os.getpid(), file=file)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4))


WORKLOAD = Workload(
    "watched", make_network, make_splits, training=TrainingPlan(epochs=2, batch_size=16, learning_rate=RATE)
)
"""


@pytest.fixture(autouse=True)
def _own_leases(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(tmp_path / "leases"))


def chain(folder: Path, rate: float) -> tuple[StageOutcome, StageOutcome, set[int], FolderStore]:
    """Outcomes of the teacher and of a training, the processes in which networks were made, and the store."""
    folder.mkdir()
    (folder / "watched.py").write_text(SOURCE.replace("RATE", str(rate)))
    reference = f"{folder / 'watched.py'}:WORKLOAD"
    plan = {**asdict(resolve(reference).training), "autocast": "fp32"}
    (folder / "processes").write_text("")
    teacher = StageTask("teacher", "a" * 64, {"plan": plan}, {}, reference, 3)
    level = {**plan, "from_epoch": 0, "to_epoch": 2}
    training = StageTask("training", "b" * 64, level, {"parent": teacher.key, "teacher": teacher.key}, reference, 3)
    store = FolderStore(folder / "store")
    outcomes = run_stage(teacher, store), run_stage(training, store)
    return *outcomes, set(map(int, (folder / "processes").read_text().split())), store


def test_it_has_a_process_of_its_own_and_gives_the_weights_that_it_gives_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *outcomes, processes, there = chain(tmp_path / "there", rate=0.1)
    assert [outcome.failure for outcome in outcomes] == [None, None]
    assert os.getpid() not in processes
    assert len(processes) == 2
    monkeypatch.setattr(run, "CALLING_NETWORKS", ())
    *_, processes, here = chain(tmp_path / "here", rate=0.1)
    assert processes == {os.getpid()}
    for key in ("a" * 64, "b" * 64):
        weights = [(store.get(key).folder / "weights.safetensors").read_bytes() for store in (here, there)]  # type: ignore[union-attr]
        assert weights[0] == weights[1]


def test_every_stage_that_trains_is_known_as_one() -> None:
    stages = Path(run.__file__).parent
    trains = re.compile(r"runners\.training\.(loop|level|data_parallel) import|runners\.stages\.training import")
    found = {file.stem for file in stages.glob("*.py") if trains.search(file.read_text())}
    assert found == set(STAGES_THAT_TRAIN) == {*TRAINING_STAGES, "teacher"}


def test_its_failure_has_the_reason(tmp_path: Path) -> None:
    teacher, training, *_ = chain(tmp_path / "there", rate=1e30)
    assert teacher.failure == (
        "teacher: its own process: training diverged: the loss is not a finite number; lower the learning rate"
    )
    assert training.failure is not None
    assert "its parent was lost" in training.failure


STUCK = """
import os, time
from runners.workload import Workload
from runners.workloads.synthetic import make_network, make_splits
from spaces.plans import TrainingPlan


def loss(outputs, targets):
    HAPPENS


WORKLOAD = Workload("stuck", make_network, make_splits, training=TrainingPlan(epochs=1), loss=loss)
"""


@pytest.mark.parametrize(
    ("happens", "timeout_s", "failure", "kind"),
    [
        ("time.sleep(600)", 3.0, "teacher: its own process did nothing for 3 s and was ended", "candidate"),
        ("os.kill(os.getpid(), 9)", 60.0, "teacher: its own process was killed by signal 9 (SIGKILL)", "process"),
    ],
)
def test_where_it_hangs_or_dies_its_process_is_ended_and_the_reason_told(
    happens: str, timeout_s: float, failure: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "HANG_TIMEOUT_S", timeout_s)
    (tmp_path / "stuck.py").write_text(STUCK.replace("HAPPENS", happens))
    reference = f"{tmp_path / 'stuck.py'}:WORKLOAD"
    settings = {"plan": {**asdict(resolve(reference).training), "autocast": "fp32"}, "pretrained": False}
    outcome = run_stage(StageTask("teacher", "a" * 64, settings, {}, reference, 3), FolderStore(tmp_path / "store"))
    assert (outcome.failure, outcome.failure_kind) == (failure, kind)
