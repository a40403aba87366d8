"""Few transactions with a database: what a thread has to write waits until it is needed, or until its block ends."""

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from optuna.exceptions import StorageInternalError
from sqlalchemy import Connection, Engine, Insert
from sqlalchemy.exc import SQLAlchemyError

from search.study.sqlite_log import begin_log, end_log, flush_at_commit


class _Waiting(threading.local):
    """What one thread has to write, and how many blocks it is in."""

    def __init__(self) -> None:
        self.rows: dict[Insert, list[dict[str, Any]]] = {}
        self.blocks = 0


class Transactions:
    """Reads and writes through ``engine``.

    Args:
        engine: The database; an SQLite file gets a write-ahead log with the first write.
        failed: Called when a transaction failed, whose rows are lost.
    """

    def __init__(self, engine: Engine, failed: Callable[[], None]) -> None:
        self._engine = engine
        self._failed = failed
        self._waiting = _Waiting()
        self._logged: bool | None = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let what this thread adds in the block wait for its end, or for the next transaction."""
        self._waiting.blocks += 1
        try:
            yield
        finally:
            self._waiting.blocks -= 1
            if not self._waiting.blocks:
                self.write_out()

    def add(self, statement: Insert, row: dict[str, Any]) -> None:
        """Write ``row`` with ``statement``, now or at the end of the block."""
        self._waiting.rows.setdefault(statement, []).append(row)
        if not self._waiting.blocks:
            self.write_out()

    def write_out(self) -> None:
        """Write what this thread has waiting."""
        if self._waiting.rows:
            with self.writing():
                pass

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read from, after what this thread has waiting was written.

        Raises:
            StorageInternalError: The database refused.
        """
        self.write_out()
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StorageInternalError(f"the database of studies could not be read: {error}") from error

    @contextmanager
    def writing(self, *, flush: bool = False) -> Iterator[Connection]:
        """A transaction that begins with what this thread has waiting; with ``flush`` it is on the disk at the end.

        Raises:
            StorageInternalError: The database refused.
        """
        waiting, self._waiting.rows = self._waiting.rows, {}
        try:
            with self._engine.connect() as connection:
                if self._has_log():
                    flush_at_commit(connection, flush=flush)
                for statement, rows in waiting.items():
                    connection.execute(statement, rows)
                yield connection
                connection.commit()
        except BaseException as error:
            self._failed()
            if isinstance(error, SQLAlchemyError):
                raise StorageInternalError(f"the database of studies refused: {error}") from error
            raise

    def _has_log(self) -> bool:
        if self._logged is None:
            self._logged = begin_log(self._engine)
            if self._logged:
                weakref.finalize(self, end_log, self._engine, os.getpid())
        return self._logged
