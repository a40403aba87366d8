"""Where studies are kept: any database that Optuna can use, opened by Optuna itself."""

import logging
import warnings
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy import create_engine, inspect, make_url
from sqlalchemy.exc import SQLAlchemyError

from search.study.waiting_connection import ONE_WAIT_S, WaitingConnection
from spaces.credentials import without_credentials
from spaces.errors import RequestError


def quiet_optuna() -> None:
    """Keep Optuna's own log and its notes on experimental features off the screen."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def open_storage(url: str) -> BaseStorage:
    """The storage at ``url``, with Optuna's cache of finished trials in front of it.

    When `optuna.Study.tell` returns, the result is on the disk, and so is all that was set on the trial before. Where
    another process has an SQLite file locked, every use of the storage waits for it, and raises `DatabaseLocked` in the
    end.

    Raises:
        RequestError: It cannot be reached or opened.
    """
    quiet_optuna()
    waiting = {"connect_args": {"timeout": ONE_WAIT_S, "factory": WaitingConnection}}
    settings = waiting if url.startswith("sqlite") else None
    try:
        _check_password(url)
        return optuna.storages.get_storage(RDBStorage(url, engine_kwargs=settings))
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
