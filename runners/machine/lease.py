"""Who may use a device now: one measurement alone, or any number of other stages, on the whole machine.

The leases are locks on files in one folder for all accounts and programs of the machine, so a process that dies gives
its lease up at that moment, however it died. What the files hold is never read. Whatever removes old files must leave
these alone while they are held: they count as new whenever a lease is taken.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Timer

from runners.machine.file_locks import shared_file_lock
from spaces.errors import RequestError

FOLDER = "FRONTRUNNER_LEASES"
"""The environment variable that names another folder; searches with different folders do not see each other."""

SHARED = Path("/tmp/frontrunner-leases")
"""One for the whole machine: the folder for temporary files may be another one for each account or job."""

PATIENCE_S = 1.0


@contextmanager
def device_lease(device: str = "cpu", *, exclusive: bool, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold ``device`` inside the block, and wait for it before, for as long as it takes.

    Nobody waits for ever. There are two locks: everyone takes the device's own while holding that of the queue, and a
    measurement that waits for the device keeps the queue, so that training cannot keep coming in before it.

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
    folder = Path(os.environ.get(FOLDER) or SHARED)
    name = re.sub(r"[^\w.]+", "-", device)
    alarm = Timer(PATIENCE_S, waiting or (lambda: None))
    alarm.daemon = True
    with ExitStack() as held:
        alarm.start()
        try:
            with shared_file_lock(folder / f"{name}.queue", exclusive=True):
                held.enter_context(shared_file_lock(folder / f"{name}.lock", exclusive=exclusive))
        except OSError as error:
            raise RequestError(
                f"the folder of the device leases, {folder}, cannot be used ({error.strerror}); "
                f"make it writable, or name another with {FOLDER} for all searches of this machine"
            ) from error
        finally:
            alarm.cancel()
        yield
