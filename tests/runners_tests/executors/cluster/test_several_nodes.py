"""Stages on a cluster of several nodes: placed, measured alone, waited for, and sent again where a worker dies."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from runners_tests.executors import runner_contract as contract
from runners_tests.executors.watched_workload import WATCHED
from search_tests.simulation import FACTS, MACHINE

from runners.executors.cluster.node_size import NodeSize
from runners.runner import StageTask
from spaces.errors import RequestError


def overlapping(told: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs on one node at one time of which one had asked for the whole node."""
    pairs = [(a, b) for a in told for b in told if a is not b and a["cpus"] == 2 and a["node"] == b["node"]]
    return [(a, b) for a, b in pairs if a["begin"] < b["end"] and b["begin"] < a["end"]]


@dataclass(frozen=True)
class OnCluster:
    """A runner on a cluster of three nodes, one with an accelerator, and the folder of its workload."""

    runner: Any
    folder: Path
    gpu_node: str

    def task(self, number: int, **asks: Any) -> StageTask:
        """A stage that calls the workload's network in a worker."""
        workload = str(self.folder / "watched.py")
        return StageTask("settling", f"{number:064}", {}, {"parent": "f" * 64}, workload, number, **asks)


@pytest.fixture(scope="module")
def on_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnCluster]:
    import ray
    from ray.cluster_utils import Cluster

    from runners.executors.ray import RayRunner

    folder = tmp_path_factory.mktemp("cluster")
    (folder / "watched.py").write_text(WATCHED)
    (folder / "told").mkdir()
    ray.shutdown()  # an earlier test of this process may have started it
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        gpu_node = cluster.add_node(num_cpus=2, num_gpus=1)
        cluster.add_node(num_cpus=2)
        with RayRunner(folder / "store", cluster.address) as runner:
            reference = str(folder / "watched.py")
            teacher = StageTask("teacher", "f" * 64, {"plan": {}, "pretrained": True}, {}, reference, 0)
            contract.check_every_task_comes_back_once(runner, [teacher])
            yield OnCluster(runner, folder, gpu_node.node_id)
    finally:
        cluster.shutdown()


def test_on_a_cluster_accelerators_are_found_and_a_measurement_has_its_node_to_itself(on_cluster: OnCluster) -> None:
    assert on_cluster.runner.slots == 6
    tasks = [
        on_cluster.task(
            number,
            cpus=2 if number % 3 == 0 else 1,
            gpus=1 if number % 4 == 0 else 0,
            exclusive=number % 3 == 0,
        )
        for number in range(10)
    ]
    contract.check_every_task_comes_back_once(on_cluster.runner, tasks)
    told = [json.loads(file.read_text()) for file in (on_cluster.folder / "told").iterdir()]
    assert len(told) == 10
    assert sorted(one["gpus"] for one in told) == [0] * 7 + [1] * 3
    assert {one["node"] for one in told if one["gpus"]} == {on_cluster.gpu_node}
    assert len({one["node"] for one in told}) > 1, "several nodes worked"
    assert overlapping(told) == []


def test_what_no_node_has_is_asked_for_in_the_size_of_the_largest_and_a_long_wait_is_told(
    on_cluster: OnCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runners.executors import ray as ray_executor

    runner = on_cluster.runner
    monkeypatch.setattr(ray_executor, "LONG_WAIT_S", 0.2)
    tasks = [on_cluster.task(number, cpus=16, gpus=4, exclusive=True) for number in (20, 21)]
    for task in tasks:
        runner.submit(task)
    waits, ended, deadline = set(), [], time.monotonic() + contract.PATIENCE_S
    while len(ended) < len(tasks) and time.monotonic() < deadline:
        ended += runner.wait(0.1)
        waits.add(runner.waiting())
    assert [outcome.failure for _, outcome in ended] == [None, None]
    assert {task.key for task, _ in ended} == {task.key for task in tasks}
    assert "settling has waited for 0 s for 2 CPUs and 1 GPU; Ray has 6 CPUs and 1 GPU, which others use" in waits
    assert runner.waiting() is None


def test_a_cluster_that_lacks_what_every_stage_needs_is_refused_at_the_start(
    on_cluster: OnCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runners.executors import ray as ray_executor

    reference, runner, nodes = str(on_cluster.folder / "watched.py"), on_cluster.runner, ray_executor._nodes()
    with monkeypatch.context() as patch:
        patch.setattr(ray_executor, "_nodes", lambda: [NodeSize(0, 1)])
        with pytest.raises(RequestError, match="no node of the cluster has a CPU for Ray"):
            runner.inspect(reference)
        real = next(node for node in nodes if node.cpus)
        patch.setattr(ray_executor, "_nodes", lambda: [replace(real, gpus=0)])
        with_accelerators = replace(MACHINE, accelerators=2, accelerator="cuda")
        patch.setattr(ray_executor, "_get", lambda reference: (with_accelerators, FACTS))
        with pytest.raises(RequestError, match=r"2 accelerators \(cuda\), but no node"):
            runner.inspect(reference)


@pytest.mark.faults("worker died")
def test_a_worker_that_dies_is_told_from_a_stage_that_raises_and_the_stage_can_be_sent_again(
    on_cluster: OnCluster,
) -> None:
    (on_cluster.folder / "again.die").touch()
    (on_cluster.folder / "again.py").write_text(WATCHED)
    task = replace(on_cluster.task(30), workload=str(on_cluster.folder / "again.py"))
    outcomes = []
    for _ in range(2):
        on_cluster.runner.submit(task)
        ((_, outcome),) = contract.collect(on_cluster.runner, 1)
        outcomes.append((outcome.failure, outcome.failure_kind))
    assert outcomes == [("settling: its process died before it answered", "process"), (None, "candidate")]


def test_the_check_for_neighbours_sees_one() -> None:
    alone = {"node": "a", "cpus": 2, "begin": 0.0, "end": 2.0}
    assert overlapping([alone, {"node": "a", "cpus": 1, "begin": 1.0, "end": 3.0}])
    assert not overlapping([alone, {"node": "b", "cpus": 1, "begin": 1.0, "end": 3.0}])
    assert not overlapping([alone, {"node": "a", "cpus": 1, "begin": 2.0, "end": 3.0}])
