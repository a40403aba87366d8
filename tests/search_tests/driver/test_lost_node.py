"""A node of a cluster that is killed while it trains: the training goes elsewhere, and nothing finished is lost."""

import time
from pathlib import Path
from typing import Any

import pytest
from runners_tests.executors.cluster.test_placement import Watched
from runners_tests.executors.cluster.test_placement import watched as watched  # a fixture

from runners.runner import StageOutcome, StageTask
from runners.training.settings import Level, TrainingSettings
from search.driver.attempts import Attempts
from spaces.plans import TrainingPlan

HELD = """
import time
from pathlib import Path
from torch.nn.functional import cross_entropy
from runners.workload import Workload
from runners.workloads.synthetic import make_network, make_splits

HERE = Path(__file__).parent


def loss(outputs, targets):
    (HERE / "trains").touch()
    while not (HERE / "killed").exists():
        time.sleep(0.1)
    return cross_entropy(outputs, targets)


WORKLOAD = Workload("held", make_network, make_splits, loss=loss, pretrained=True)
"""
PATIENCE_S = 400.0


class Notes:
    """An observer that keeps what it is told of stages that are sent again."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        if "tried again" in text:  # not that a stage waits long on a busy machine
            self.told.append(text)


def outcome_of(attempts: Attempts, task: StageTask) -> StageOutcome:
    attempts.submit(task)
    return next_outcome(attempts)


def next_outcome(attempts: Attempts) -> StageOutcome:
    deadline = time.monotonic() + PATIENCE_S
    while not (ended := attempts.wait(1.0)):
        assert time.monotonic() < deadline, "no stage ended"
    return ended[0][1]


@pytest.mark.slow
def test_a_training_whose_node_is_killed_goes_on_another_and_what_was_finished_is_there(watched: Watched) -> None:
    from runners.executors.ray import RayRunner

    (watched.folder / "held.py").write_text(HELD)
    nodes = {node.node_id: node for node in (watched.cluster.add_node(num_cpus=1) for _ in range(2))}
    reference = str(watched.folder / "held.py")
    teacher = StageTask("teacher", "1" * 64, {"plan": {}, "pretrained": True}, {}, reference, 0)
    level = Level.whole(TrainingSettings(TrainingPlan(epochs=1)), 0).to_json()
    training = StageTask("training", "2" * 64, level, {"parent": teacher.key, "teacher": teacher.key}, reference, 0)
    observer: Any = Notes()
    with RayRunner(watched.folder / "store", watched.cluster.address) as runner:
        attempts = Attempts(runner, observer, "frontrunner resume held")
        assert outcome_of(attempts, teacher).failure is None
        attempts.submit(training)
        wait_for(watched.folder / "trains", attempts)
        (first,) = [sent.node for sent in runner._under_way.values()]
        assert first is not None
        watched.cluster.remove_node(nodes[first], allow_graceful=False)
        deadline = time.monotonic() + PATIENCE_S
        while not observer.told:
            assert attempts.wait(1.0) == [], "the training ended on a node that is gone"
            assert time.monotonic() < deadline, "nobody saw that the node is gone"
        (watched.folder / "killed").touch()
        trained = next_outcome(attempts)
        assert trained.failure is None
        assert trained.result["epochs"] == 1
        assert observer.told[0].startswith("training: its ")
        assert observer.told[0].endswith("it is tried again, twice at most")
        assert len(observer.told) == 1
        assert outcome_of(attempts, teacher).from_store


def wait_for(file: Path, attempts: Attempts) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not file.exists():
        assert attempts.wait(0.5) == [], "the training ended"
        assert time.monotonic() < deadline, "the training did not begin"
