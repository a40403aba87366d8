"""Kernel locks on files that leave no files behind: held by one thread of one process, and free when it dies.

Where a file system has no such locks, everyone is let in: the store stays whole without them, and at worst a
stage is computed twice.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_WITHOUT_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF)

_held: set[int] = set()


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock called ``path`` inside the block, and wait for it before; its file is gone afterwards.

    Raises:
        OSError: The file cannot be made.
    """
    descriptor = _acquired(path)
    _held.add(descriptor)
    try:
        yield
    finally:
        with suppress(OSError):  # on a full or vanished disk the file may stay; the lock is given up all the same
            os.unlink(path)
        _close(descriptor)


@contextmanager
def marked(path: Path, text: str) -> Iterator[None]:
    """Keep a file that `is_held` finds held until the block ends or this process dies; nobody waits for it.

    Raises:
        OSError: The file cannot be made.
    """
    hidden = path.with_name(f".{path.name}")
    descriptor = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    _held.add(descriptor)
    try:
        _lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, text.encode())
        os.rename(hidden, path)  # never seen without its lock
        yield
    finally:
        for file in (hidden, path):
            with suppress(OSError):
                os.unlink(file)
        _close(descriptor)


def is_held(path: Path) -> bool:
    """Whether somebody who lives holds the file; True where that cannot be told."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(descriptor)


def _acquired(path: Path) -> int:
    """A descriptor that holds the lock of the file which lies at ``path`` now, not of one that was removed."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:
            continue  # the folder went away in between
        try:
            _lock(descriptor, fcntl.LOCK_EX)
            if _is_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _lock(descriptor: int, how: int) -> None:
    try:
        fcntl.flock(descriptor, how)
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise


def _close(descriptor: int) -> None:
    if descriptor in _held:
        _held.discard(descriptor)
        os.close(descriptor)


def _forget() -> None:
    """A forked child lets go of its parent's locks: the parent's death alone must end them."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget)
