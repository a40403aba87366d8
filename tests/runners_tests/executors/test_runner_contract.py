"""The runner contract over every runner, broken runners that it rejects, and Ray on several nodes."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from runners_tests.executors import runner_contract as contract
from runners_tests.executors.watched_workload import WATCHED
from search_tests.simulation import FACTS, MACHINE, make_chains, table

from runners.executors.local import LocalRunner
from runners.executors.node_size import NodeSize
from runners.executors.simulated import SimulatedRunner
from runners.runner import Runner, StageOutcome, StageTask
from runners.training.settings import TrainingSettings
from spaces.configuration import Configuration
from spaces.errors import RequestError
from spaces.plans import TrainingPlan

PLAN = TrainingSettings(TrainingPlan(epochs=1, batch_size=40, learning_rate=0.1, weight_decay=0.0)).to_json()


@dataclass(frozen=True)
class Case:
    """A runner with tasks that it can carry out.

    Attributes:
        make: Makes another of its kind.
        runner: One that is open.
        workload: What it can inspect.
        first: A task without inputs.
        rest: Tasks that need ``first`` alone.
        bad: A task that raises.
    """

    make: Callable[[], Runner]
    runner: Runner
    workload: Any
    first: StageTask
    rest: tuple[StageTask, ...]
    bad: StageTask


def real_tasks() -> tuple[StageTask, tuple[StageTask, ...], StageTask]:
    """A teacher, two students of it, and a student by a technique that there is not."""
    first = StageTask("teacher", "1" * 64, {"plan": PLAN, "pretrained": False}, {}, "synthetic", 0)

    def student(key: str, technique: str, width: float) -> StageTask:
        settings = {"technique": technique, "student_width": width}
        return StageTask("transforming", key * 64, settings, {"parent": first.key}, "synthetic", 0)

    rest = student("2", "student_width", 0.5), student("3", "student_width", 0.25)
    return first, rest, student("4", "no_such_technique", 0.5)


def refusing_table(configuration: Configuration) -> Any:
    """The table of the simulation, which refuses int8."""
    if configuration["numeric_precision"] == "int8":
        raise RuntimeError("the runtime refused")
    return table(configuration)


def simulated(kind: type[SimulatedRunner] = SimulatedRunner) -> Case:
    def make() -> Runner:
        return kind(MACHINE, FACTS, refusing_table, workers=2)

    chains = make_chains()
    plain = chains.space.baseline()
    first, *_, measuring = chains.chain(plain)
    other = chains.chain(Configuration({**plain, "runtime": "openvino"}))[-1]
    bad = chains.chain(Configuration({**plain, "runtime": "openvino", "numeric_precision": "int8"}))[-1]
    return Case(make, make(), "table", first, (measuring, other), bad)


@pytest.fixture(scope="module", params=["local", "simulated", "ray"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """One runner for all checks; ending it with a task under way comes last, as Ray starts once."""
    if request.param == "simulated":
        yield simulated()
        return
    store = tmp_path_factory.mktemp("store")
    if request.param == "local":
        made = Case(lambda: LocalRunner(store), LocalRunner(store), "synthetic", *real_tasks())
    else:
        from runners.executors.ray import RayRunner

        ray_runner = RayRunner(store)
        made = Case(lambda: ray_runner, ray_runner, "synthetic", *real_tasks())
    yield made
    made.runner.close()


def test_it_describes_machine_and_workload(case: Case) -> None:
    contract.check_inspect(case.runner, case.workload)


def test_a_workload_that_breaks_its_contract_is_a_wrong_request(case: Case, tmp_path: Path) -> None:
    if isinstance(case.runner, SimulatedRunner):
        pytest.skip("it pretends its workload")
    (tmp_path / "mine.py").write_text("WORKLOAD = 3\n")
    with pytest.raises(RequestError, match=r"WORKLOAD in mine.py is of type int"):
        case.runner.inspect(str(tmp_path / "mine.py"))


def test_it_has_slots(case: Case) -> None:
    contract.check_slots(case.runner)


def test_it_gives_every_task_back_once(case: Case) -> None:
    contract.check_every_task_comes_back_once(case.runner, [case.first])
    contract.check_every_task_comes_back_once(case.runner, case.rest)


def test_it_does_not_compute_a_known_result_again(case: Case) -> None:
    contract.check_every_task_comes_back_once(case.runner, [case.first])
    contract.check_a_known_result_is_not_computed_again(case.runner, case.first)


def test_it_gives_back_a_stage_that_raises_as_a_failure(case: Case) -> None:
    contract.check_every_task_comes_back_once(case.runner, [case.first])
    contract.check_a_stage_that_raises_is_a_failure(case.runner, case.bad)


def test_it_does_not_wait_for_nothing(case: Case) -> None:
    contract.check_idle_wait_returns_at_once(case.runner)


BREAKS = """
import os, ray, signal, time
from runners.backends.torchscript import TorchScript
from runners.workload import Workload
from runners.workloads.synthetic import make_network, make_splits


def lower(self, trained, folder):
    HAPPENS


if ray.is_initialized():
    TorchScript.lower = lower
WORKLOAD = Workload("breaks", make_network, make_splits, pretrained=True)
"""


@pytest.mark.faults("worker died")
@pytest.mark.parametrize(
    ("happens", "failure", "kind"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "its process died before it answered", "process"),
        ("time.sleep(600)", "it did nothing for 10 s and its process was ended", "candidate"),
    ],
    ids=["crashes", "hangs"],
)
def test_a_runtime_that_does_not_return_in_a_worker_of_ray_fails_its_stage_and_others_go_on(
    case: Case, happens: str, failure: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(case.runner, LocalRunner | SimulatedRunner):
        pytest.skip("it has no workers")
    contract.check_every_task_comes_back_once(case.runner, [case.first])
    if kind == "candidate":
        monkeypatch.setattr("runners.executors.ray.HANG_S", 10.0)
    (tmp_path / "breaks.py").write_text(BREAKS.replace("HAPPENS", happens))
    settings = {"runtime": "torchscript", "precision": "fp32", "options": {}}
    inputs = {"parent": case.first.key}
    case.runner.submit(StageTask("lowering", "6" * 64, settings, inputs, str(tmp_path / "breaks.py"), 0))
    ((_, outcome),) = contract.collect(case.runner, 1)
    assert (outcome.failure, outcome.failure_kind) == (f"lowering: {failure}", kind)
    contract.check_every_task_comes_back_once(case.runner, [case.first])


def test_it_is_closed_twice_with_a_task_under_way(case: Case) -> None:
    contract.check_close_twice(case.make, replace(case.first, key="5" * 64, seed=5))


class Loses(SimulatedRunner):
    """Forgets a task of several."""

    def submit(self, task: StageTask) -> None:
        if not self._under_way:
            super().submit(task)


class GivesTwice(SimulatedRunner):
    """Gives everything back twice."""

    def wait(self, timeout_s: float) -> list[tuple[StageTask, StageOutcome]]:
        return super().wait(timeout_s) * 2


class Raises(SimulatedRunner):
    """Raises what a stage raised."""

    def wait(self, timeout_s: float) -> list[tuple[StageTask, StageOutcome]]:
        ended = super().wait(timeout_s)
        assert all(outcome.failure is None for _, outcome in ended), "raised by a stage"
        return ended


class HidesFailures(SimulatedRunner):
    """Calls a failure a result."""

    def wait(self, timeout_s: float) -> list[tuple[StageTask, StageOutcome]]:
        return [(task, replace(outcome, failure=None)) for task, outcome in super().wait(timeout_s)]


class ComputesAgain(SimulatedRunner):
    """Has no memory."""

    def submit(self, task: StageTask) -> None:
        self._done.clear()
        super().submit(task)


class InventsTasks(SimulatedRunner):
    """Gives back what nobody submitted."""

    def wait(self, timeout_s: float) -> list[tuple[StageTask, StageOutcome]]:
        return super().wait(timeout_s) or [(real_tasks()[0], StageOutcome({}))]


class ClosesOnce(SimulatedRunner):
    """Falls over its own end."""

    def close(self) -> None:
        assert self._free_at, "closed already"
        self._free_at = []


class KnowsNothing(SimulatedRunner):
    """Describes neither machine nor workload."""

    def inspect(self, workload: Any, choices: Any = None) -> Any:
        return None, None


class HasNoSlots(SimulatedRunner):
    """Has room for nothing."""

    def __init__(self, *about: Any, **options: Any) -> None:
        super().__init__(*about, **options)
        self.slots = 0


CHECKS: dict[str, Callable[[Case], None]] = {
    "inspect": lambda case: contract.check_inspect(case.runner, case.workload),
    "slots": lambda case: contract.check_slots(case.runner),
    "once": lambda case: contract.check_every_task_comes_back_once(case.runner, case.rest),
    "again": lambda case: (
        contract.check_every_task_comes_back_once(case.runner, [case.first]),
        contract.check_a_known_result_is_not_computed_again(case.runner, case.first),
    )[-1],
    "raises": lambda case: contract.check_a_stage_that_raises_is_a_failure(case.runner, case.bad),
    "idle": lambda case: contract.check_idle_wait_returns_at_once(case.runner),
    "close": lambda case: contract.check_close_twice(case.make, case.first),
}


@pytest.mark.parametrize(
    ("check", "broken"),
    [
        ("inspect", KnowsNothing),
        ("slots", HasNoSlots),
        ("once", Loses),
        ("once", GivesTwice),
        ("again", ComputesAgain),
        ("raises", Raises),
        ("raises", HidesFailures),
        ("idle", InventsTasks),
        ("close", ClosesOnce),
    ],
)
def test_the_contract_rejects_a_broken_runner(
    check: str, broken: type[SimulatedRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contract, "PATIENCE_S", 0.2)
    CHECKS[check](simulated())
    with pytest.raises(AssertionError):
        CHECKS[check](simulated(broken))


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
    from ray.cluster_utils import Cluster

    from runners.executors.ray import RayRunner

    folder = tmp_path_factory.mktemp("cluster")
    (folder / "watched.py").write_text(WATCHED)
    (folder / "told").mkdir()
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
