"""How a search ends before it is done: what it says, and what it leaves."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from search_tests.simulation import FACTS, MACHINE, Recording, make_runner, table

from dashboards.tracking.spool import Spool
from dashboards.tracking.tracker import Tracker
from runners.executors.simulated import SimulatedRunner
from search.commands.search import run_search
from search.request.read_request import merge
from search.study import waiting_connection
from search.study.attributes import STATUS
from search.study.storage import open_storage
from search.study.study import find_study
from spaces.configuration import Configuration
from spaces.errors import WorkFailed

RESUME = "`frontrunner resume s --home .*/home` continues the study"


def search(home: Path, of: Any = table, runner: SimulatedRunner | None = None) -> dict[str, Any]:
    """The front document of a small simulated search."""
    settings = {
        "study": "s",
        "workload": "digits",
        "trials": 4,
        "space": {"student_width": [1.0, 0.5], "runtime": "all"},
    }
    return run_search(merge({}, {**settings, "home": str(home)}), runner=runner or make_runner(of=of))


def test_the_very_same_search_again_measures_nothing_and_gives_the_same_front(tmp_path: Path) -> None:
    first, runner = search(tmp_path / "home"), Recording(MACHINE, FACTS, table, workers=1)
    again = search(tmp_path / "home", runner=runner)
    for document in (first, again):  # where MLflow is slow, the first search ends before it has all records
        for member in (document["baseline"], document["runtime_alone"], *document["front"]):
            member.pop("run_id", None)
    assert again == first
    made = {"teacher", "transforming", "training", "lowering"}  # the table leaves nothing in the stage store
    assert {task.stage for task in runner.submitted} <= made


def test_the_front_is_printed_before_mlflow_has_the_records_and_a_stop_after_that_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed: list[str] = []

    def interrupted(tracker: Tracker, timeout_s: float) -> bool:
        printed.append(capsys.readouterr().out)
        raise KeyboardInterrupt

    home = tmp_path / "home"
    with monkeypatch.context() as patch:
        patch.setattr(Tracker, "flush", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(home)
    assert "frontrunner export s" in printed[0]
    study = find_study(open_storage(f"sqlite:///{home}/studies.db"), "s")
    assert study.user_attrs[STATUS] == "finished"
    assert _kept(home)[-3:] == ["front", "ended", "report"], "on disk, where the next search on this home finds them"
    search(home)
    spool = Spool(home / "spool" / "s", f"sqlite:///{home}/mlflow.db")
    assert not spool.pending()
    assert set(spool.sent.runs) == set(range(4))


def _kept(home: Path) -> list[str]:
    """The kinds of the records in the spool of the study."""
    return [json.loads(line)["kind"] for line in (home / "spool" / "s" / "records.jsonl").open()]


@pytest.mark.faults("database away")
def test_a_database_that_stays_locked_stops_a_search_that_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("search.study.storage.ONE_WAIT_S", 0.1)
    monkeypatch.setattr(waiting_connection, "LONGEST_WAIT_S", 0.5)
    file = tmp_path / "home" / "studies.db"
    with closing(sqlite3.connect(":memory:")) as other:

        def lock(configuration: Configuration) -> Any:
            if configuration["runtime"] != "eager" and not other.in_transaction:
                other.execute(f"ATTACH '{file}' AS studies")
                other.execute("BEGIN EXCLUSIVE")
            return table(configuration)

        with pytest.raises(WorkFailed, match=f"studies.db has been locked by another process .*; {RESUME}$"):
            search(tmp_path / "home", lock)
    assert f"waiting: {file} is locked by another process" in capsys.readouterr().err
    assert search(tmp_path / "home")["trials"] == 4


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "interrupted"), (MemoryError, "failed")])
def test_the_study_and_mlflow_are_told_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], status: str
) -> None:
    monkeypatch.setattr("search.commands.tracking.recording.TRACKING_WAIT_UNFINISHED_S", 0.1)
    told: list[Any] = []
    monkeypatch.setattr(Spool, "append", lambda spool, record: told.append(record))

    def act(driver: Any) -> None:
        raise error

    monkeypatch.setattr("search.driver.driver.Driver._act_on_ended_stages", act)
    with pytest.raises(error):
        search(tmp_path / "home")
    study = find_study(open_storage(f"sqlite:///{tmp_path}/home/studies.db"), "s")
    assert study.user_attrs[STATUS] == status
    assert [(record["kind"], record.get("status")) for record in told] == [("started", None), ("ended", status)]


@pytest.mark.faults("database away")
def test_a_database_that_cannot_be_reached_any_more_stops_a_search_that_can_be_resumed(tmp_path: Path) -> None:
    file = tmp_path / "home" / "studies.db"

    def damage(configuration: Configuration) -> Any:
        if configuration["runtime"] != "eager" and file.stat().st_size > 1:
            file.write_bytes(b"x")
        return table(configuration)

    with pytest.raises(WorkFailed, match=rf"^the database of the study cannot be used \(.*\); {RESUME}$"):
        search(tmp_path / "home", damage)
