"""Where studies are kept: any database of Optuna's, opened so that driving a large study costs little."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.storages import BaseStorage, RDBStorage

from search.study.database_error import said
from search.study.study_storage import DIALECTS, StudyStorage
from search.study.trial_tables import REVISION
from spaces.credentials import without_credentials
from spaces.errors import RequestError

LOCKED_S = 30.0
"""How long a process waits for another one to let go of an SQLite file."""


def quiet_optuna() -> None:
    """Keep Optuna's own log and its notes on experimental features off the screen."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def open_storage(url: str) -> BaseStorage:
    """The storage at ``url``: a `StudyStorage` where the database is one for it, else as Optuna opens it.

    Raises:
        RequestError: It cannot be reached or opened.
    """
    quiet_optuna()
    settings = {"connect_args": {"timeout": LOCKED_S}} if url.startswith("sqlite") else None
    try:
        plain = RDBStorage(url, engine_kwargs=settings)
        known = plain.engine.dialect.name in DIALECTS and plain.get_current_version() == REVISION
        return StudyStorage(plain) if known else optuna.storages.get_storage(plain)
    except ImportError as error:
        raise RequestError(
            f"--storage {without_credentials(url)}: the driver of this database is not installed; for PostgreSQL "
            "`pip install 'frontrunner[postgres]'` and write postgresql+psycopg://user@host/name"
        ) from error
    except Exception as error:
        raise RequestError(
            f"--storage {without_credentials(url)}: cannot be opened ({said(error)}); give a database URL such as "
            "sqlite:///studies.db or postgresql+psycopg://user@host/name"
        ) from error


@contextmanager
def together(storage: BaseStorage) -> Iterator[None]:
    """Write what this thread sets on running trials in the block at its end, or with a trial's result, in one go.

    A storage that is not a `StudyStorage` writes each at once, as always.
    """
    if isinstance(storage, StudyStorage):
        with storage.together():
            yield
    else:
        yield
