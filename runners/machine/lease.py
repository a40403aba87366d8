"""Who may use a device now: one measurement alone, or any number of other stages, on the whole machine.

The leases are kernel locks on files in one folder for all users and programs of the machine, so a process that
dies gives its lease up at that moment, however it died. What the files hold is never read. Whatever removes old
files must leave these alone while they are held: they are made young whenever a lease is taken.
"""

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Timer

from spaces.errors import RequestError

FOLDER = "FRONTRUNNER_LEASES"
"""The environment variable that names another folder; searches with different folders do not see each other."""

SHARED = Path("/tmp/frontrunner-leases")
"""One for the whole machine: the folder for temporary files may be another one for each user or job."""

PATIENCE_S = 1.0

_held: set[int] = set()


@contextmanager
def device_lease(device: str = "cpu", *, exclusive: bool, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold ``device`` inside the block, and wait for it before, for as long as it takes.

    Nobody is passed over for ever: everyone goes through one turnstile, and a measurement that waits for the
    device keeps it shut behind itself, so that training cannot keep coming in before it.

    A lease must not be taken inside another one, nor a second time in the same process while one is held: the two
    would wait for each other. Child processes hold none, whether forked or started, and need none: they work
    under the lease of the one that waits for them.

    Args:
        device: The device's name; its host's processor by default, which work on an accelerator keeps busy too.
        exclusive: Whether nobody else may use it, as a measurement needs, or other stages may share it.
        waiting: Called once, from another thread, where the lease is not had within a second.

    Raises:
        RequestError: The folder of the leases cannot be made or opened.
    """
    name = re.sub(r"[^\w.]+", "-", device)
    alarm = Timer(PATIENCE_S, waiting or (lambda: None))
    alarm.daemon = True
    with ExitStack() as held:
        alarm.start()
        try:
            with _locked(f"{name}.turnstile", fcntl.LOCK_EX):
                held.enter_context(_locked(f"{name}.lock", fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH))
        finally:
            alarm.cancel()
        yield


@contextmanager
def _locked(name: str, how: int) -> Iterator[None]:
    """Hold the lock of the file called ``name``.

    The file may be removed while it is waited for, and then others lock the one that is there now.
    """
    while True:
        path = _folder() / name
        with _opened(path) as descriptor:
            fcntl.flock(descriptor, how)
            if _is_there(descriptor, path):
                yield
                return


def _is_there(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _folder() -> Path:
    """The folder of the leases, made where it is missing, open to every user of the machine."""
    named = os.environ.get(FOLDER)
    folder = Path(named) if named else SHARED
    try:
        folder.mkdir(parents=True)
        folder.chmod(0o1777)
    except FileExistsError:
        pass
    except OSError as error:
        raise _unusable(folder, error) from error
    return folder


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A descriptor of the file, which counts as new from now on; closing it gives up the lock on it."""
    try:
        descriptor = _open(path)
    except OSError as error:
        raise _unusable(path.parent, error) from error
    _held.add(descriptor)
    try:
        with suppress(OSError):
            os.utime(descriptor)
        yield descriptor
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def _open(path: Path) -> int:
    """A descriptor of the file, which may be another user's.

    Linux refuses ``O_CREAT`` on a file of somebody else in a folder like this one, so making and opening are two
    steps. Reading is enough for a lock, and a pipe in the file's place must not stop us.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        made = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return os.open(path, flags)
    os.fchmod(made, 0o666)  # the umask took from it what other users need
    return made


def _unusable(folder: Path, error: OSError) -> RequestError:
    return RequestError(
        f"the folder of the device leases, {folder}, cannot be used ({error.strerror}); "
        f"make it writable, or name another with {FOLDER} for all searches of this machine"
    )


def _forget() -> None:
    """A forked child lets go of its parent's leases: the parent's death alone must end them."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget)
