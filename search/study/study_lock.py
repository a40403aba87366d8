"""One driver for a study, told by the database that keeps it: whoever reaches the records sees the lock.

SQLite has a lock file beside its file, PostgreSQL an advisory lock of a session, MySQL and MariaDB a named one. All are
given up by a process that dies. Other databases, and those in memory, know no lock. A pooler before a database
must keep a session to one connection.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from search.study.database_error import said
from spaces.errors import RequestError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

_STAY = """
SELECT set_config(name, CASE name WHEN 'idle_session_timeout' THEN '0' ELSE '30' END, false) FROM pg_settings
WHERE name IN ('idle_session_timeout', 'tcp_keepalives_idle', 'tcp_keepalives_interval')
"""
"""Makes PostgreSQL keep a session that asks nothing for hours, and end that of a machine that is gone in minutes.

The oldest servers do not know all of these settings; those are left out.
"""

_STAY_IN_MYSQL = "SET SESSION wait_timeout = 2000000"
"""23 days, near the most that every server takes; the usual eight hours are less than a search may last."""


def study_held(storage: str, study: str) -> AbstractContextManager[None]:
    """Hold ``study`` of the database at the URL ``storage`` for this process alone.

    Where the connection that holds a lock is lost in the middle, so is the lock, and another process can then drive the
    study as well; nothing is raised and the search goes on all the same.

    Raises:
        RequestError: On entering: another process holds it, or the database cannot be reached.
    """
    from sqlalchemy import make_url

    url = make_url(storage)
    hold = _LOCKS.get(url.get_backend_name())
    return hold(url, study) if hold else nullcontext()


@contextmanager
def file_held(path: Path, study: str, mode: int = 0o644) -> Iterator[None]:
    """Hold the lock file ``path``, made with the permissions ``mode``, for this process alone.

    Raises:
        RequestError: Another process holds it, or it cannot be made.
    """
    lock = FileLock(path, mode=mode)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise _taken(study) from None
    except OSError as error:
        raise RequestError(f"{path} cannot be locked ({error.strerror}); make it and its folder writable") from error
    try:
        yield
    finally:
        lock.release()


def _beside(url: "URL", study: str) -> AbstractContextManager[None]:
    """The same file by another path has the same lock, which whoever may write the file can take."""
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        return nullcontext()
    database = Path(url.database).resolve()
    mode = database.stat().st_mode & 0o666 if database.exists() else 0o644
    return file_held(database.with_name(f".{database.name}.{study}.lock"), study, mode)


def _advisory(url: "URL", study: str) -> AbstractContextManager[None]:
    key = int.from_bytes(_digest(study)[:8], signed=True)
    return _session_held(url, study, _STAY, f"SELECT pg_try_advisory_lock({key})")


def _named(url: "URL", study: str) -> AbstractContextManager[None]:
    # These names belong to the whole server and have at most 64 characters, so a digest tells the database too.
    name = f"SHA2(CONCAT(DATABASE(), '/', '{_digest(study).hex()}'), 224)"
    return _session_held(url, study, _STAY_IN_MYSQL, f"SELECT GET_LOCK({name}, 0)")


@contextmanager
def _session_held(url: "URL", study: str, settings: str, question: str) -> Iterator[None]:
    """Hold what ``question`` asks the database for, as long as one connection of its own is open."""
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    with ExitStack() as until_the_end:
        try:
            connection = until_the_end.enter_context(_connected(url))
            connection.execute(text(settings))
            got = connection.execute(text(question)).scalar()
        except SQLAlchemyError as error:
            raise RequestError(f"--storage: the study {study!r} cannot be locked there ({said(error)})") from error
        if not got:
            raise _taken(study)
        yield


@contextmanager
def _connected(url: "URL") -> Iterator["Connection"]:
    from sqlalchemy import NullPool, create_engine

    connection = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect()
    try:
        yield connection
    finally:
        connection.invalidate()  # closed even where it was lost
        connection.close()


def _digest(study: str) -> bytes:
    return hashlib.sha256(f"frontrunner study {study}".encode()).digest()


def _taken(study: str) -> RequestError:
    return RequestError(f"study {study!r} is being run by another process; wait for it, or give another --study")


_LOCKS: dict[str, Callable[["URL", str], AbstractContextManager[None]]] = {
    "sqlite": _beside,
    "postgresql": _advisory,
    "mysql": _named,
    "mariadb": _named,
}
