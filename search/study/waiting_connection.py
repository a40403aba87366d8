"""Connections to an SQLite file that wait while another process has it locked, and say so."""

import sqlite3
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from spaces.errors import WorkFailed

LONGEST_WAIT_S = 60.0
"""How long a process waits for another one to let go of an SQLite file."""
ONE_WAIT_S = 1.0
"""One wait inside of SQLite, in which Python handles no signal."""

Result = TypeVar("Result")


class DatabaseLocked(WorkFailed):
    """Another process has had the file locked for all of `LONGEST_WAIT_S`; what is in it is as it was."""


class WaitingConnection(sqlite3.Connection):
    """A connection whose statements are tried again for up to `LONGEST_WAIT_S` where the file is locked.

    To be given to `sqlite3.connect` as the ``factory``, with `ONE_WAIT_S` as the ``timeout``.
    """

    def __init__(self, database: Any, *rest: Any, **named: Any) -> None:
        super().__init__(database, *rest, **named)
        self.file = database

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or WaitingCursor)

    def commit(self) -> None:
        wait_while_locked(super().commit, self.file)


class WaitingCursor(sqlite3.Cursor):
    """A cursor of a `WaitingConnection`."""

    def execute(self, *statement: Any) -> "WaitingCursor":
        return wait_while_locked(partial(super().execute, *statement), self._file)

    def executemany(self, *statement: Any) -> "WaitingCursor":
        return wait_while_locked(partial(super().executemany, *statement), self._file)

    @property
    def _file(self) -> Any:
        return getattr(self.connection, "file", "the database")


def wait_while_locked(call: Callable[[], Result], file: Any) -> Result:
    """What ``call`` returns; called again while ``file`` is locked, with one line on stderr.

    Raises:
        DatabaseLocked: It is locked for longer than `LONGEST_WAIT_S`.
    """
    begin, told = time.monotonic(), False
    while True:
        try:
            return call()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
        if time.monotonic() - begin > LONGEST_WAIT_S:
            raise DatabaseLocked(
                f"{file} has been locked by another process for {LONGEST_WAIT_S:.0f} s; wait for that one, or end it"
            ) from None
        if not told:
            told = True
            print(f"waiting: {file} is locked by another process", file=sys.stderr)
