"""Who works on a far folder now: without locks of a kernel, by signs of life that are written again and again.

No two clocks are compared: whoever waits for a sign of life counts the time by its own clock, and the times of
files all come from the clock of the folder's file system.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from runners.store.remote_folder import SHORTLY_S, FarFolder, FolderAway

BEAT_S = 20.0
POLL_S = 2.0
EXPIRY_S = 180.0
"""After this long without a sign of life somebody counts as dead."""


@contextmanager
def far_lock(folder: FarFolder, path: str, done: Callable[[], bool]) -> Iterator[None]:
    """Hold the lock at ``path``, or hold nothing as soon as ``done`` says that there is nothing left to do.

    The lock of one who died is taken over after `EXPIRY_S`. It saves work and protects nothing: where the folder
    does not answer, or two take over at once, they both go on.
    """
    mine = uuid.uuid4().hex
    if not _acquired(folder, path, mine, done):
        yield
        return
    try:
        with _beating(folder, path, mine):
            yield
    finally:
        with suppress(FolderAway):  # then it expires
            folder.remove(path)


@contextmanager
def far_use(folder: FarFolder, name: str) -> Iterator[None]:
    """Be listed as a user of the folder until the block ends, or some minutes after this process died.

    Raises:
        FolderAway: The folder cannot be written.
    """
    place = f"users/{uuid.uuid4().hex}"
    about = {"name": name, "host": socket.gethostname(), "process": os.getpid()}
    folder.write(f"{place}/began", json.dumps(about).encode(), SHORTLY_S)
    try:
        with _beating(folder, f"{place}/beat", name):
            yield
    finally:
        with suppress(FolderAway):  # then it expires
            folder.remove(place)


def far_users(folder: FarFolder) -> list[tuple[float, str]]:
    """When each of the living users began, and its name; what dead ones left is removed.

    Only somebody who is listed may ask: its own fresh sign of life tells what the time is over there.
    """
    found = folder.find("users")
    now = max((changed for _, changed in found.values()), default=0.0)
    living = []
    for place in {path.partition("/")[0] for path in found}:
        signs = {name: found[f"{place}/{name}"][1] for name in ("began", "beat") if f"{place}/{name}" in found}
        raw = folder.read(f"users/{place}/began") if "began" in signs else None
        if raw and now - max(signs.values()) <= EXPIRY_S:
            living.append((signs["began"], str(json.loads(raw)["name"])))
        elif signs and now - max(signs.values()) > EXPIRY_S:
            folder.remove(f"users/{place}")
    return sorted(living)


def _acquired(folder: FarFolder, path: str, mine: str, done: Callable[[], bool]) -> bool:
    try:
        while not folder.create(path, mine.encode()):
            if _outwaited(folder, path, done):
                return False
        return True
    except FolderAway:
        return False


def _outwaited(folder: FarFolder, path: str, done: Callable[[], bool]) -> bool:
    """Wait while its holder lives; whether all is ``done``. The lock of a dead holder is removed."""
    seen, since = folder.read(path), time.monotonic()
    while seen is not None:
        time.sleep(POLL_S)
        if done():
            return True
        now = folder.read(path)
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > EXPIRY_S:
            folder.remove(path)
            return False
    return done()


@contextmanager
def _beating(folder: FarFolder, path: str, text: str) -> Iterator[None]:
    """Give a sign of life at ``path`` now and then, from a thread of its own."""
    over = threading.Event()

    def beat() -> None:
        count = 0
        while not over.is_set():
            with suppress(FolderAway):  # the next one may get through
                folder.write(path, f"{text} {count}".encode(), ())
            count += 1
            over.wait(BEAT_S)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(BEAT_S)
