"""SQLite's write-ahead log for as long as a study is driven: one flush to disk for a trial instead of dozens.

A transaction in the log survives the death of the process at once, and a loss of power once the log was flushed. So
what leads up to a trial's result is not flushed, and the result is, which flushes all that came before it. The log
needs memory shared between processes, which a network file system does not give: there the file stays as it is. It is
put back into one piece at the end, so that it can be copied, or read where nothing may be written.
"""

import os
from pathlib import Path

import psutil
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

LOCAL = {"apfs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfs", "ntfs", "overlay", "tmpfs", "xfs", "zfs"}
"""File systems of one machine."""


def begin_log(engine: Engine) -> bool:
    """Whether the database of ``engine`` has a write-ahead log from now on."""
    if engine.dialect.name != "sqlite" or not engine.url.database or not on_this_machine(Path(engine.url.database)):
        return False
    with engine.connect() as connection:
        try:
            return bool(connection.exec_driver_sql("PRAGMA journal_mode=WAL").scalar() == "wal")
        except OperationalError:  # somebody else has the file open in the other mode
            return False


def end_log(engine: Engine, owner: int) -> None:
    """Take the log back into the file, unless the file is gone or read by others, or this process is not ``owner``."""
    if os.getpid() != owner or not Path(str(engine.url.database)).exists():
        return
    engine.dispose()
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=0")
            connection.exec_driver_sql("PRAGMA journal_mode=DELETE").scalar()
    except OperationalError:
        pass  # a reader is there: the log stays, and every SQLite reads it
    engine.dispose()


def flush_at_commit(connection: Connection, *, flush: bool) -> None:
    """Whether the next transaction of ``connection`` waits until it is on the disk."""
    connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if flush else 'NORMAL'}")


def on_this_machine(file: Path) -> bool:
    """Whether ``file`` lies on a file system that no other machine writes to."""
    place = file.resolve()
    mounted = [part for part in psutil.disk_partitions(all=True) if place.is_relative_to(part.mountpoint)]
    return bool(mounted) and max(mounted, key=lambda part: len(part.mountpoint)).fstype.lower() in LOCAL
