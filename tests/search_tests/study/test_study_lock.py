"""A study is driven by one process at a time, whatever home that has."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from search_tests.postgres import needs_postgres, postgres_server

from search.study.study_lock import lock_study
from spaces.errors import RequestError

pytestmark = pytest.mark.faults("two drivers")

ROOT = Path(__file__).resolve().parents[3]
HOLDER = """
import sys
from search.study.study_lock import lock_study
with lock_study(sys.argv[1], sys.argv[2]):
    print("held", flush=True)
    sys.stdin.readline()
"""


def holder(storage: str, study: str) -> "subprocess.Popen[str]":
    """Another process that holds the study until it is told a line, or killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, storage, study],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def require_one_driver(storage: str, other_spelling: str) -> None:
    """Two processes never hold one study; a dead one holds none; other studies are free."""
    first = holder(storage, "study")
    try:
        with pytest.raises(RequestError, match="study 'study' is being run by another process"):
            lock_study(other_spelling, "study").__enter__()
        with lock_study(storage, "another study"):
            pass
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    with lock_study(other_spelling, "study"):
        pass
    second = holder(storage, "study")  # it was given up at the end of the block
    second.communicate("end\n")
    assert second.returncode == 0


def test_a_study_in_an_sqlite_file_has_one_driver_by_whatever_path(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias.db").symlink_to(tmp_path / "real" / "studies.db")
    require_one_driver(f"sqlite:///{tmp_path}/real/studies.db", f"sqlite:///{tmp_path}/real/../alias.db")


def test_whoever_may_write_an_sqlite_file_may_take_its_lock(tmp_path: Path) -> None:
    database = tmp_path / "studies.db"
    database.touch()
    database.chmod(0o660)
    with lock_study(f"sqlite:///{database}", "study"):
        (lock,) = tmp_path.glob(".studies.db.study.lock")
        assert lock.stat().st_mode & 0o777 == 0o660


def test_two_databases_may_each_have_a_study_of_one_name(tmp_path: Path) -> None:
    with lock_study(f"sqlite:///{tmp_path}/a.db", "study"), lock_study(f"sqlite:///{tmp_path}/b.db", "study"):
        pass


def test_a_database_in_memory_needs_no_lock() -> None:
    with lock_study("sqlite://", "study"), lock_study("sqlite:///:memory:", "study"):
        pass


def test_a_database_that_cannot_be_reached_is_refused_in_a_sentence() -> None:
    with pytest.raises(RequestError, match="cannot be locked there") as refused:
        lock_study("postgresql+psycopg://me:secret@127.0.0.1:1/studies", "study").__enter__()
    assert "secret" not in str(refused.value)


@pytest.fixture
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of this test's own."""
    with postgres_server() as server:
        yield server.url


@needs_postgres
def test_a_study_in_postgresql_has_one_driver(postgres: str) -> None:
    require_one_driver(postgres, postgres)


@needs_postgres
def test_a_lock_outlives_the_time_after_which_idle_sessions_are_ended(postgres: str) -> None:
    from sqlalchemy import create_engine, make_url, text
    from sqlalchemy.exc import OperationalError

    hasty = f"{postgres}&options=-c%20idle_session_timeout%3D100"
    with lock_study(hasty, "study"), create_engine(make_url(hasty)).connect() as other:
        other.execute(text("SELECT 1"))
        other.commit()
        time.sleep(1)
        with pytest.raises(OperationalError):  # so much for a session that lets it be
            other.execute(text("SELECT 1"))
        with pytest.raises(RequestError, match="is being run by another process"):
            lock_study(postgres, "study").__enter__()


@needs_postgres
def test_a_lost_connection_frees_the_study_and_stops_nothing(postgres: str) -> None:
    from sqlalchemy import create_engine, make_url, text

    others = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
    with lock_study(postgres, "study"):
        with create_engine(make_url(postgres)).connect() as connection:
            ended = connection.execute(text(others + "backend_type = 'client backend'")).scalars().all()
        assert ended == [True]
        with lock_study(postgres, "study"):
            pass
