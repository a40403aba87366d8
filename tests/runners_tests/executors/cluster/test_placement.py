"""Where stages run on a cluster: spread over nodes and accelerators, where they fit, and measured on the target."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from runners_tests.executors import runner_contract as contract
from runners_tests.executors.watched_workload import WATCHED

from runners.executors.cluster.node_size import NodeSize, size_of
from runners.executors.cluster.sent_stage import SentStage, least_busy
from runners.executors.cluster.target import Target, nodes_for, options_of, read_target, require_nodes
from runners.runner import StageOutcome, StageTask
from spaces.errors import RequestError

PLAIN, EDGE, FAST = NodeSize(2, 0), NodeSize(2, 0, labels={"kind": "edge"}), NodeSize(4, 1, accelerator_type="A10G")


@pytest.mark.parametrize(
    ("given", "target", "options"),
    [
        ("accelerator_type:A10G", Target("A10G"), {"resources": {"accelerator_type:A10G": 0.001}}),
        ("kind=edge", Target("kind", "edge"), {"label_selector": {"kind": "edge"}}),
    ],
)
def test_a_target_is_a_type_of_accelerator_or_a_label(given: str, target: Target, options: dict[str, Any]) -> None:
    assert read_target(given, "a:1") == target
    assert read_target(None, None) is None
    assert str(target) == given
    assert options_of("measuring", target) == options_of("lowering", target) == options
    assert options_of("training", target) == {}
    found = nodes_for("measuring", target, [PLAIN, EDGE, FAST])
    assert found == [FAST if target.value is None else EDGE]
    assert nodes_for("training", target, [PLAIN, EDGE, FAST]) == [PLAIN, EDGE, FAST]


@pytest.mark.parametrize("given", ["", "A10G", "accelerator_type:", "a=b=c", "kind="])
def test_what_names_no_nodes_is_refused(given: str) -> None:
    with pytest.raises(RequestError, match=r"--measure-on: .* names no nodes; give accelerator_type:NAME"):
        read_target(given, "a:1")
    with pytest.raises(RequestError, match="names nodes of a cluster; give its --address"):
        read_target("kind=edge", None)


def test_a_cluster_without_the_target_is_refused_with_what_there_is() -> None:
    require_nodes(None, [])
    require_nodes(Target("A10G"), [PLAIN, FAST])
    with pytest.raises(
        RequestError, match=r"no node of the cluster has accelerator_type:T4; .* accelerator_type:A10G, kind=edge;"
    ):
        require_nodes(Target("T4"), [PLAIN, EDGE, FAST])
    with pytest.raises(RequestError, match="no such type and no label"):
        require_nodes(Target("kind", "edge"), [PLAIN])


def test_a_node_is_read_as_ray_lists_it() -> None:
    resources = {"CPU": 4.0, "GPU": 1.0, "memory": 2.0**31, "accelerator_type:A10G": 1.0}
    node = {"Resources": resources, "Labels": {"kind": "edge"}, "NodeManagerAddress": "10.0.0.1"}
    assert size_of(node) == NodeSize(4, 1, 2.0, "A10G", {"kind": "edge"}, "10.0.0.1")


def test_the_next_stage_goes_to_the_node_that_is_asked_for_least() -> None:
    small, large, fast = (replace(node, identity=name) for node, name in ((PLAIN, "s"), (FAST, "l"), (FAST, "f")))
    task = StageTask("training", "a" * 64, {}, {}, "digits", 0, cpus=1)
    busy = [SentStage(task, replace(task, cpus=cpus), node, 0.0) for cpus, node in ((1, "s"), (1, "l"), (3, "f"))]
    assert least_busy([small, large, fast], task, busy, Counter()) == "l"
    assert least_busy([small, large, fast], task, [], Counter(s=1, l=1)) == "f"
    assert least_busy([small, large, fast], replace(task, gpus=1), [busy[2]], Counter(l=9)) == "l"
    assert least_busy([small], replace(task, gpus=1), [], Counter()) is None


@dataclass
class Watched:
    """A cluster of Ray with the folder of a workload that tells where its stages run."""

    cluster: Any
    folder: Path

    def task(self, number: int, **asks: Any) -> StageTask:
        """A stage that makes the workload's network in a worker."""
        reference = str(self.folder / "watched.py")
        return StageTask("settling", f"{number:064}", {}, {"parent": "f" * 64}, reference, number, **asks)

    def runner(self, **options: Any) -> Any:
        """A runner with the teacher that the stages read."""
        from runners.executors.ray import RayRunner

        runner = RayRunner(self.folder / "store", self.cluster.address, **options)
        teacher = StageTask(
            "teacher", "f" * 64, {"plan": {}, "pretrained": True}, {}, str(self.folder / "watched.py"), 0
        )
        contract.check_every_task_comes_back_once(runner, [teacher])
        return runner

    def told(self) -> list[dict[str, Any]]:
        """Where the stages ran since this was called last."""
        files = [*(self.folder / "told").iterdir()]
        found = [json.loads(file.read_text()) for file in files]
        for file in files:
            file.unlink()
        return found


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    import ray
    from ray.cluster_utils import Cluster

    (tmp_path / "watched.py").write_text(WATCHED)
    (tmp_path / "told").mkdir()
    ray.shutdown()  # an earlier test of this process may have started it
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        yield Watched(cluster, tmp_path)
    finally:
        cluster.shutdown()


def at_one_time(told: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs of stages that had one accelerator at one time."""
    pairs = [
        (a, b) for a in told for b in told if a is not b and (a["node"], a["devices"]) == (b["node"], b["devices"])
    ]
    return [(a, b) for a, b in pairs if a["begin"] < b["end"] and b["begin"] < a["end"]]


def test_the_check_for_a_shared_accelerator_sees_one() -> None:
    alone = {"node": "a", "devices": "0", "begin": 0.0, "end": 2.0}
    assert at_one_time([alone, {**alone, "begin": 1.0, "end": 3.0}])
    assert not at_one_time([alone, {**alone, "devices": "1"}])


@pytest.mark.slow
def test_stages_are_spread_evenly_each_with_an_accelerator_of_its_own(watched: Watched) -> None:
    for _ in range(3):
        watched.cluster.add_node(num_cpus=2, num_gpus=2)
    with watched.runner() as runner:
        watched.told()
        contract.check_every_task_comes_back_once(runner, [watched.task(number, gpus=1) for number in range(24)])
        told = watched.told()
    assert len(told) == 24
    assert at_one_time(told) == []
    assert {one["devices"] for one in told} == {"0", "1"}
    assert all(abs(count - 8) <= 1 for count in Counter(one["node"] for one in told).values())


@pytest.mark.slow
def test_measurements_run_on_the_target_alone(watched: Watched) -> None:
    watched.cluster.add_node(num_cpus=2)
    edge = watched.cluster.add_node(num_cpus=1, labels={"kind": "edge"}).node_id
    with watched.runner(measure_on="kind=edge") as runner:
        environment, _ = runner.inspect("synthetic", {"training_workers": [1, 2]})
        assert environment.cpu_cores == 1, "Ray may use one core of the node that measures"
        watched.told()
        contract.check_every_task_comes_back_once(runner, [watched.task(n, cpus=2, exclusive=True) for n in range(4)])
        assert {one["node"] for one in watched.told()} == {edge}
    from runners.executors.ray import RayRunner

    with (
        RayRunner(watched.folder / "store", watched.cluster.address, measure_on="kind=server") as other,
        pytest.raises(RequestError, match="no node of the cluster has kind=server; its nodes have kind=edge"),
    ):
        other.inspect("synthetic")


@pytest.mark.slow
def test_a_node_that_is_removed_costs_no_stage(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    from runners.executors import ray as ray_executor

    monkeypatch.setattr(ray_executor, "LOOK_EVERY_S", 0.5)
    watched.cluster.add_node(num_cpus=1)
    large = watched.cluster.add_node(num_cpus=3)
    with watched.runner() as runner:
        for number in range(8):
            runner.submit(watched.task(number, cpus=3))
        ended: list[tuple[StageTask, StageOutcome]] = []
        again, removed, deadline = 0, False, time.monotonic() + 120
        while len(ended) < 8 and time.monotonic() < deadline:
            for task, outcome in runner.wait(1.0):
                if outcome.failure is None:
                    ended.append((task, outcome))
                else:
                    assert outcome.failure_kind == "process", outcome.failure
                    again += 1
                    runner.submit(task)
            if len(ended) >= 2 and not removed:
                watched.cluster.remove_node(large, allow_graceful=False)
                removed = True
    assert len({task.key for task, _ in ended}) == 8
    assert again <= 1, "one stage ran on the node that was removed"
