"""Whole searches whose driver is killed, at named points and at random moments: nothing is lost, and nothing stays.

``MOMENTS=50 python -m pytest -m slow tests/faults/test_killed_drivers.py -k random -s`` prints a line for each.
"""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faults.killed_search import KilledSearch

pytestmark = [pytest.mark.slow, pytest.mark.faults("driver killed")]

POINTS = {
    "when the study is made": ("optuna:create_study:after", 0),
    "before the first trial": ("optuna.study.study:Study.ask:before", 0),
    "after a trial is asked for": ("optuna.study.study:Study.ask:after", 1),
    "before a stage is sent": ("search.driver.attempts:Attempts.submit:before", 5),
    "after a stage is sent": ("search.driver.attempts:Attempts.submit:after", 5),
    "before a result is told": ("optuna.study.study:Study.tell:before", 1),
    "after a result is told": ("optuna.study.study:Study.tell:after", 1),
    "before MLflow is told": ("dashboards.tracking.tracker:Tracker.trial_finished:before", 1),
    "after MLflow is told": ("dashboards.tracking.tracker:Tracker.trial_finished:after", 1),
    "before the final measurement": ("search.commands.search:measure_front:before", 0),
    "in the final measurement": ("search.driver.final_measurement:_time_together:before", 0),
    "after the final measurement": ("search.commands.search:measure_front:after", 0),
    "before MLflow has the last records": ("search.commands.search:send_records:before", 0),
    "when the artifacts of the front are kept": ("search.commands.search:keep_artifacts:before", 0),
}

WORKLOAD = """
import os, signal
from pathlib import Path
from runners.store.folder_store import FolderStore
from runners.workloads.synthetic import WORKLOAD

put, armed = FolderStore.put, Path(__file__).with_name("armed")


def kill_driver(*given, **named):
    if given[3].get("epochs") and armed.exists():  # a level of a training
        armed.unlink()
        os.kill(int(Path(__file__).with_name("driver").read_text()), signal.SIGKILL)
    return put(*given, **named)


FolderStore.put = kill_driver
"""
"""A workload whose first training kills the driver when it is done and its result is not in the store yet."""
LINES = {"simulated": 10, "real": 30}
"""About how many lines such a search writes to its stderr."""


@pytest.fixture(autouse=True)
def leases(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(tmp_path_factory.mktemp("leases")))


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., KilledSearch]]:
    """Starts searches, each in a folder of its own; all that is left of them is killed at the end."""
    searches: list[KilledSearch] = []

    def start(*given: Any, **named: Any) -> KilledSearch:
        folder = tmp_path / str(len(searches))
        folder.mkdir()
        searches.append(KilledSearch(folder, *given, **named))
        return searches[-1]

    yield start
    for search in searches:
        search.running.end()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The front of a simulated search that nothing disturbs."""
    search = KilledSearch(tmp_path_factory.mktemp("undisturbed"), "simulated")
    assert search.running.process.wait() == 0, search.running.said
    return search.goes_on()


def without_runs(front: dict[str, Any]) -> dict[str, Any]:
    """A front without the numbers that MLflow gave its runs."""
    members = [{name: value for name, value in member.items() if name != "run_id"} for member in front["front"]]
    return {"front": members, "hypervolume": front["hypervolume"], "trials": front["trials"]}


@pytest.mark.parametrize("point", POINTS)
def test_a_driver_that_is_killed_at_a_named_point_leaves_what_gives_the_same_front(
    point: str, started: Callable[..., KilledSearch], undisturbed: dict[str, Any]
) -> None:
    where, call = POINTS[point]
    search = started("simulated", point=where, call=call)
    search.dies()
    assert without_runs(search.goes_on()) == without_runs(undisturbed)


def test_a_driver_that_is_killed_between_a_training_and_the_store_leaves_nothing_behind(
    started: Callable[..., KilledSearch], tmp_path: Path
) -> None:
    (tmp_path / "workload.py").write_text(WORKLOAD)
    (tmp_path / "armed").touch()
    search = started("real", workload=str(tmp_path / "workload.py"))
    (tmp_path / "driver").write_text(str(search.running.process.pid))
    search.dies()
    search.goes_on()
    assert list((search.folder / "home" / "stages" / "unfinished").glob("*")) == []


@pytest.mark.parametrize("how", LINES)
def test_a_driver_that_is_killed_at_a_random_moment_loses_nothing(
    how: str,
    started: Callable[..., KilledSearch],
    record_property: Callable[[str, object], None],
) -> None:
    moments, tried = random.Random(how), int(os.environ.get("MOMENTS", "3"))
    gone = []
    for _ in range(tried):
        search = started(how)
        moment = search.is_killed(moments, LINES[how])
        search.goes_on()
        gone.append(search.gone_after_s)
        print(f"{how}: killed {moment}; its processes were gone after {gone[-1]:.1f} s", flush=True)
    record_property("tried", tried)
    print(f"{how}: {tried} kills; the longest that a process stayed was {max(gone):.1f} s")
