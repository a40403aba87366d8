"""An SQLite file that another process has locked is waited for, with a word, and not for ever."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest

from search.study import waiting_connection
from search.study.storage import open_storage
from search.study.waiting_connection import DatabaseLocked
from spaces.errors import RequestError

pytestmark = pytest.mark.faults("database away")

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.study.storage.ONE_WAIT_S", 0.1)
    monkeypatch.setattr(waiting_connection, "LONGEST_WAIT_S", 0.5)


@contextmanager
def locked(file: Path, seconds: float = 60.0) -> Iterator[None]:
    """Keep everybody else from reading and writing the file, in the block or for so long."""
    with closing(sqlite3.connect(file, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        end = threading.Timer(seconds, other.rollback)
        end.start()
        try:
            yield
        finally:
            end.cancel()
            end.join()
            other.rollback()


def test_a_lock_that_ends_is_waited_for_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(waiting_connection, "LONGEST_WAIT_S", 30.0)
    file = tmp_path / "studies.db"
    with locked(file, seconds=1.0):
        storage = open_storage(f"sqlite:///{file}")
    study = optuna.create_study(storage=storage, study_name="one")
    assert capsys.readouterr().err == f"waiting: {file} is locked by another process\n"
    with locked(file, seconds=0.5):
        study.tell(study.ask(), 1.0)
    assert [trial.value for trial in study.trials] == [1.0]
    assert capsys.readouterr().err == f"waiting: {file} is locked by another process\n"


def test_a_database_that_stays_locked_cannot_be_opened_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "studies.db"
    with locked(file), pytest.raises(RequestError, match=r"--storage .*studies.db has been locked by another process"):
        open_storage(f"sqlite:///{file}")


def test_a_study_whose_database_stays_locked_is_as_it_was_and_can_be_used_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "studies.db"
    study = optuna.create_study(storage=open_storage(f"sqlite:///{file}"), study_name="one")
    trial = study.ask()
    uses: list[Any] = [lambda: study.tell(trial, 1.0), study.ask, lambda: study.set_user_attr("a", 1)]
    for use in uses:
        with locked(file), pytest.raises(DatabaseLocked, match="locked by another process"):
            use()
    study.tell(trial, 2.0)
    assert [trial.value for trial in study.trials] == [2.0]


INTERRUPTED = """
import signal, sys
import optuna
from search.study.storage import open_storage

study = optuna.create_study(storage=open_storage(sys.argv[1]), study_name="one")
print("open", flush=True)
input()
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, 0.3)
try:
    study.set_user_attr("a", 1)
except KeyboardInterrupt:
    print("interrupted", flush=True)
input()
study.set_user_attr("a", 2)
"""
"""A process of its own: libraries that other tests have loaded here need not survive an interrupted wait."""


def test_a_handler_of_signals_runs_while_a_lock_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "studies.db"
    command = [sys.executable, "-c", INTERRUPTED, f"sqlite:///{file}"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        with locked(file):
            print(file=process.stdin, flush=True)
            assert process.stdout.readline() == "interrupted\n"
        print(file=process.stdin, flush=True)
        assert process.wait(20) == 0
    (study,) = open_storage(f"sqlite:///{file}").get_all_studies()
    assert study.user_attrs["a"] == 2


def test_other_errors_of_the_database_are_raised_at_once(tmp_path: Path) -> None:
    opened = sqlite3.connect(tmp_path / "a.db", factory=waiting_connection.WaitingConnection)
    with closing(opened) as connection, pytest.raises(sqlite3.OperationalError, match="no such table"):
        connection.execute("SELECT * FROM nowhere")
