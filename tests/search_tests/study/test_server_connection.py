"""A database server that goes away is waited for, with a word, and not for ever."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from search_tests.command import SMALL_STUDY, RunningSearch, document, frontrunner
from search_tests.postgres import PostgresServer, needs_postgres, postgres_server

from search.study import server_connection
from search.study.storage import open_storage

pytestmark = [needs_postgres, pytest.mark.faults("database away")]

PATIENCE_S = 1800.0


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_is_restarted_is_waited_for_and_told_once(
    mode: str, server: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    study = optuna.create_study(storage=open_storage(server.url), study_name="one")
    trial = study.ask()
    server.stop(mode)
    back = threading.Timer(1.5, server.start)
    back.start()
    study.tell(trial, 1.0)
    back.join()
    assert [trial.value for trial in study.trials] == [1.0]
    waiting, again = capsys.readouterr().err.splitlines()
    assert waiting.startswith(f"waiting for the database: {server.url} takes no connection (")
    assert again == f"the database is there again: {server.url}"
    study.tell(study.ask(), 2.0)
    assert capsys.readouterr().err == ""


def test_a_server_that_stays_away_is_an_error_and_the_study_can_be_used_when_it_is_back(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_connection, "LONGEST_AWAY_S", 0.5)
    study = optuna.create_study(storage=open_storage(server.url), study_name="one")
    trial = study.ask()
    server.stop()
    with pytest.raises(optuna.exceptions.StorageInternalError):
        study.tell(trial, 1.0)
    server.start()
    study.tell(trial, 2.0)
    assert [trial.value for trial in study.trials] == [2.0]


@pytest.mark.slow
def test_a_search_waits_for_its_database_and_goes_on(server: PostgresServer, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL_STUDY)
    places = ("--home", "home", "--storage", server.url)
    search = RunningSearch(("search", "small.yaml", *places, "--json"), tmp_path)
    try:
        search.wait_until_said("baseline: ", PATIENCE_S)
        server.stop()
        search.wait_until_said("waiting for the database", PATIENCE_S)
        time.sleep(10)
        assert search.process.poll() is None
        server.start()
        assert search.process.wait(PATIENCE_S) == 0, search.said
    finally:
        search.end()
    assert "the database is there again" in search.said
    shown = document(frontrunner("front", "small", *places, "--all", "--json", cwd=tmp_path))
    assert [trial["state"] in ("complete", "stopped") for trial in shown["all"]] == [True] * 3
    assert shown["status"] == "finished"
