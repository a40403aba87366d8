"""A folder that counts as in use until its process has ended, so that what killed processes leave can be removed.

The folder itself is locked (flock), which the kernel ends with the process and a new name does not. On a file system
that locks no folders, none is ever taken for left over.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

YOUNG_S = 60.0
"""A folder that was changed less than this long ago may not have been locked yet."""

_held: set[int] = set()


@contextmanager
def owned_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder for this account alone, in use until the block ends or this process dies; it is not removed then.

    Folders of the same ``prefix`` in ``parent`` that processes of this account made, and that died, are removed first.

    Raises:
        OSError: The folder cannot be made.
    """
    for left in folders_left(parent, prefix):
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    _held.add(descriptor)
    try:
        with suppress(OSError):  # this file system has no such locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def folders_left(parent: Path, prefix: str) -> list[Path]:
    """The folders of `owned_folder` whose processes are gone, as far as that can be told; of this account alone."""
    left = []
    for folder in parent.iterdir() if parent.is_dir() else ():
        with suppress(OSError):  # it went meanwhile
            if folder.name.startswith(prefix) and not folder.is_symlink() and _is_left(folder):
                left.append(folder)
    return left


def _is_left(folder: Path) -> bool:
    about = folder.stat()
    if not folder.is_dir() or about.st_uid != os.getuid() or time.time() - about.st_ctime < YOUNG_S:
        return False
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _close_in_child() -> None:
    """Close what the parent locked: its death alone must end the locks."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)
