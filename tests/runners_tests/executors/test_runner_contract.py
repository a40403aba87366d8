"""The runner contract over every runner, and broken runners that it rejects."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from runners_tests.executors import runner_contract as contract
from search_tests.simulation import FACTS, MACHINE, make_chains, table

from runners.executors.local import LocalRunner
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
