"""One driver for a study, told by the database that keeps it: whoever reaches the records sees the lock.

SQLite has a lock file beside its file, PostgreSQL an advisory lock of a session, MySQL and MariaDB a named one. All are
given up by a process that dies. Other databases, and those in memory, know no lock.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from spaces.errors import RequestError

if TYPE_CHECKING:
    from sqlalchemy import URL


def study_held(storage: str, study: str) -> AbstractContextManager[None]:
    """Hold ``study`` of the database at the URL ``storage`` for this process alone.

    Where the connection that holds a lock is lost in the middle, so is the lock; the search goes on all the same.

    Raises:
        RequestError: On entering: another process holds it, or the database cannot be reached.
    """
    from sqlalchemy import make_url

    url = make_url(storage)
    hold = _LOCKS.get(url.get_backend_name())
    return hold(url, study) if hold else nullcontext()


@contextmanager
def file_held(path: Path, study: str) -> Iterator[None]:
    """Hold the lock file ``path`` for this process alone.

    Raises:
        RequestError: Another process holds it, or it cannot be made.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise _taken(study) from None
    except OSError as error:
        raise RequestError(f"{path} cannot be locked ({error.strerror}); make its folder writable") from error
    try:
        yield
    finally:
        lock.release()


def _beside(url: "URL", study: str) -> AbstractContextManager[None]:
    """The same file under another name or through a link has the same lock."""
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        return nullcontext()
    database = Path(url.database).resolve()
    return file_held(database.with_name(f".{database.name}.{study}.lock"), study)


def _advisory(url: "URL", study: str) -> AbstractContextManager[None]:
    key = int.from_bytes(_digest(study)[:8], signed=True)
    return _session_held(url, f"SELECT pg_try_advisory_lock({key})", study)


def _named(url: "URL", study: str) -> AbstractContextManager[None]:
    return _session_held(url, f"SELECT GET_LOCK('{_digest(study).hex()[:60]}', 0)", study)


@contextmanager
def _session_held(url: "URL", question: str, study: str) -> Iterator[None]:
    """Hold what ``question`` asks the database for, as long as one connection of its own is open."""
    from sqlalchemy import NullPool, create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        connection = engine.connect()
        got = connection.execute(text(question)).scalar()
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())[:200]
        raise RequestError(f"--storage: the study {study!r} cannot be locked there ({reason})") from error
    try:
        if not got:
            raise _taken(study)
        yield
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
