"""One driver for a study: whoever drives it holds a lock in the database that keeps it.

For SQLite it is a lock file beside the database file, for PostgreSQL an advisory lock of the session, for MySQL and
MariaDB a named lock. Each is given up when the process dies. Other databases, and those in memory, are not locked.
Behind a connection pooler the lock holds only where a session keeps its connection.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from spaces.errors import RequestError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

_POSTGRESQL_SESSION = """
SELECT set_config(name, CASE name WHEN 'idle_session_timeout' THEN '0' ELSE '30' END, false) FROM pg_settings
WHERE name IN ('idle_session_timeout', 'tcp_keepalives_idle', 'tcp_keepalives_interval')
"""
"""Lets an idle session live for hours, and ends that of a machine that is gone within minutes.

The oldest servers do not have all of these settings; those are left out.
"""

_MYSQL_SESSION = "SET SESSION wait_timeout = 2000000"
"""23 days, near the most that every server takes; the default of eight hours is less than a search may last."""


def lock_study(storage: str, study: str) -> AbstractContextManager[None]:
    """A context in which no other process can lock ``study`` of the database at the URL ``storage``.

    Where the connection that holds the lock is lost inside the context, so is the lock, and another process can then
    drive the study as well; nothing is raised and the search goes on.

    Raises:
        RequestError: On entering: another process holds the lock, or the database cannot be reached.
    """
    from sqlalchemy import make_url

    url = make_url(storage)
    lock = _LOCKS.get(url.get_backend_name())
    return lock(url, study) if lock else nullcontext()


@contextmanager
def lock_file(path: Path, study: str, mode: int = 0o644) -> Iterator[None]:
    """A context in which no other process can lock the file ``path``, made with the permissions ``mode``.

    Raises:
        RequestError: Another process holds the lock, or the file cannot be made.
    """
    lock = FileLock(path, mode=mode)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise _locked_error(study) from None
    except OSError as error:
        raise RequestError(f"{path} cannot be locked ({error.strerror}); make it and its folder writable") from error
    try:
        yield
    finally:
        lock.release()


def _sqlite_lock(url: "URL", study: str) -> AbstractContextManager[None]:
    """A lock file with the permissions of the database; paths to one database, as by a link, lead to one lock."""
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        return nullcontext()
    database = Path(url.database).resolve()
    mode = database.stat().st_mode & 0o666 if database.exists() else 0o644
    return lock_file(database.with_name(f".{database.name}.{study}.lock"), study, mode)


def _postgresql_lock(url: "URL", study: str) -> AbstractContextManager[None]:
    """An advisory lock of a session, whose key is a number of 64 bits."""
    key = int.from_bytes(_digest(study)[:8], signed=True)
    return _session_lock(url, study, _POSTGRESQL_SESSION, f"SELECT pg_try_advisory_lock({key})")


def _mysql_lock(url: "URL", study: str) -> AbstractContextManager[None]:
    """A named lock of a session. Names are the server's and of at most 64 characters: this one is of the database."""
    name = f"SHA2(CONCAT(DATABASE(), '/', '{_digest(study).hex()}'), 224)"
    return _session_lock(url, study, _MYSQL_SESSION, f"SELECT GET_LOCK({name}, 0)")


@contextmanager
def _session_lock(url: "URL", study: str, settings: str, acquire: str) -> Iterator[None]:
    """A context with a connection of its own that holds the lock which the query ``acquire`` asks for."""
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    from search.study.storage import database_message

    with ExitStack() as stack:
        try:
            connection = stack.enter_context(_connection(url))
            connection.execute(text(settings))
            acquired = connection.execute(text(acquire)).scalar()
        except SQLAlchemyError as error:
            reason = database_message(error)
            raise RequestError(f"--storage: the study {study!r} cannot be locked there ({reason})") from error
        if not acquired:
            raise _locked_error(study)
        yield


@contextmanager
def _connection(url: "URL") -> Iterator["Connection"]:
    """A connection that no pool keeps, without transactions."""
    from sqlalchemy import NullPool, create_engine

    connection = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect()
    try:
        yield connection
    finally:
        connection.invalidate()  # closed even where it was lost
        connection.close()


def _digest(study: str) -> bytes:
    return hashlib.sha256(f"frontrunner study {study}".encode()).digest()


def _locked_error(study: str) -> RequestError:
    return RequestError(f"study {study!r} is being run by another process; wait for it, or give another --study")


_LOCKS: dict[str, Callable[["URL", str], AbstractContextManager[None]]] = {
    "sqlite": _sqlite_lock,
    "postgresql": _postgresql_lock,
    "mysql": _mysql_lock,
    "mariadb": _mysql_lock,
}
"""How each kind of database locks a study."""
