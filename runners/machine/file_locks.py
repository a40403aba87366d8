"""Locks on files, held until a block ends or the process dies; a forked child holds none of its parent's.

They are the kernel's own (flock). Where one account locks a file for itself alone, filelock's `FileLock` does it. That
has no shared mode, and both it and filelock's `ReadWriteLock` refuse a file of another account in a folder with the
sticky bit (tried with 4.3.1), such as that of the leases of a machine: `shared_file_lock` is for those.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

NOT_SUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF)
"""What a file system without such locks answers."""

_held: set[int] = set()


@contextmanager
def shared_file_lock(path: Path, *, exclusive: bool) -> Iterator[None]:
    """Hold the lock on the file ``path`` inside the block, and wait for it before.

    The file and its folder are made where they are missing, for every account of the machine. The file counts as new
    from now on. Where it is removed while it is waited for, the one that is there afterwards is locked.

    Args:
        path: The file, of whichever account.
        exclusive: Whether nobody else may hold it, or everybody who does not ask for that.

    Raises:
        OSError: The file cannot be made or opened.
    """
    while True:
        with _opened(path) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
            if _is_at(descriptor, path):
                yield
                return


@contextmanager
def locked_file(path: Path, content: str) -> Iterator[None]:
    """Make a file that is locked as long as it is there: until the block ends, or this process dies.

    On a file system without locks the file is made all the same.

    Raises:
        OSError: The file cannot be made.
    """
    hidden = path.with_name(f".{path.name}")
    lock = FileLock(hidden, mode=0o666, fallback_to_soft=False)
    try:
        try:
            lock.acquire(blocking=False)
        except OSError as error:
            if error.errno not in NOT_SUPPORTED:
                raise
        hidden.write_text(content)
        hidden.rename(path)  # nobody sees it without its lock
        yield
    finally:
        for file in (hidden, path):
            with suppress(OSError):
                file.unlink()
        lock.release()


def is_locked(path: Path) -> bool:
    """Whether a living process holds `locked_file`; True where that cannot be told, False where there is no file."""
    if not path.exists():
        return False
    try:
        with FileLock(path, fallback_to_soft=False).acquire(blocking=False):
            return False
    except (Timeout, OSError):
        return True


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A descriptor of the file; closing it gives up the lock on it."""
    with suppress(FileExistsError):
        path.parent.mkdir(parents=True)
        path.parent.chmod(0o1777)
    descriptor = _open(path)
    _held.add(descriptor)
    try:
        with suppress(OSError):  # only its owner may, and only they need to
            os.utime(descriptor)
        yield descriptor
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def _open(path: Path) -> int:
    """A descriptor of the file, which may be another account's.

    Linux refuses ``O_CREAT`` on a file of another account in a folder with the sticky bit, so making and opening are
    two steps. Reading is enough for a lock, and a pipe in the file's place must not make this process wait.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        made = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return os.open(path, flags)
    os.fchmod(made, 0o666)  # the umask took from it what other accounts need
    return made


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _close_in_child() -> None:
    """Close what the parent locked: its death alone must free the locks."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)
