"""Where studies are kept: any database that Optuna can use, opened by Optuna itself."""

import logging
import time
import warnings
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy import create_engine, inspect, make_url
from sqlalchemy.exc import SQLAlchemyError

from search.study.server_connection import wait_while_away
from search.study.waiting_connection import ONE_WAIT_S, WaitingConnection
from spaces.credentials import without_credentials
from spaces.errors import RequestError

MAKING_ATTEMPTS, MAKING_PAUSE_S = 5, 0.5
"""How often a database is opened that answers and has no whole set of tables, and the pause in between."""


def quiet_optuna() -> None:
    """Keep Optuna's own log and its notes on experimental features off the screen."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def open_storage(url: str) -> BaseStorage:
    """The storage at ``url``, with Optuna's cache of finished trials in front of it.

    When `optuna.Study.tell` returns, the result is on the disk, and so is all that was set on the trial before. Every
    use of the storage waits where another process has an SQLite file locked, and raises `DatabaseLocked` in the end; or
    where a server is away that was there when it was opened, and raises `optuna.exceptions.StorageInternalError`.

    Raises:
        RequestError: It cannot be reached or opened.
    """
    quiet_optuna()
    try:
        _check_password(url)
        return optuna.storages.get_storage(_open_beside_others(url))
    except ImportError as error:
        raise RequestError(
            f"--storage {without_credentials(url)}: the driver of this database is not installed; for PostgreSQL "
            "`pip install 'frontrunner[postgres]'` and write postgresql+psycopg://user@host/name"
        ) from error
    except Exception as error:
        raise RequestError(
            f"--storage {without_credentials(url)}: cannot be opened ({database_message(error)}); give a database URL "
            "such as sqlite:///studies.db or postgresql+psycopg://user@host/name"
        ) from error


def _open_beside_others(url: str) -> RDBStorage:
    """Optuna's own storage; where another process makes the same tables just now, those are used when they are made."""
    for _ in range(MAKING_ATTEMPTS - 1):
        try:
            return _open(url)
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError, AssertionError):
            if not _answers(url):
                raise
            time.sleep(MAKING_PAUSE_S)
    return _open(url)


def _answers(url: str) -> bool:
    """Whether the database can be reached."""
    engine = create_engine(url)
    try:
        with engine.connect():
            return True
    except SQLAlchemyError:
        return False
    finally:
        engine.dispose()


def _open(url: str) -> RDBStorage:
    """Optuna's own storage, with connections that wait."""
    if url.startswith("sqlite"):
        file = {"connect_args": {"timeout": ONE_WAIT_S, "factory": WaitingConnection}}
        return RDBStorage(url, engine_kwargs=file)
    storage = RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
    wait_while_away(storage.engine, without_credentials(url))
    return storage


def open_existing_storage(url: str) -> BaseStorage | None:
    """The same where studies are kept there already, else None; nothing is created.

    Raises:
        RequestError: It cannot be reached or opened.
    """
    return open_storage(url) if _holds_studies(url) else None


def _holds_studies(url: str) -> bool:
    """Whether there are Optuna's tables; True also where that cannot be told, so that opening it says what is wrong."""
    try:
        address = make_url(url)
        if address.get_backend_name() == "sqlite":
            return Path(address.database or "").is_file()
        engine = create_engine(address)
        try:
            return inspect(engine).has_table("studies")
        finally:
            engine.dispose()
    except (ImportError, SQLAlchemyError):
        return True


def _check_password(url: str) -> None:
    """Raise `ValueError` where a password would end too early, and its rest be taken for a host and shown as one."""
    read = make_url(url)
    if read.password is not None and "@" in f"{read.host}{read.database}":
        raise ValueError("an @ in a password has to be written as %40")


def database_message(error: BaseException) -> str:
    """What the database's own driver says of ``error``, else the error itself; one line of at most 200 characters."""
    return " ".join(str(getattr(error, "orig", None) or error).split())[:200]
