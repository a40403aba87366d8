"""Who uses a stage store now, what a finished study would like to keep, and how large the store may grow."""

import hashlib
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runners.store.entry import FILES
from runners.store.locks import is_held, marked

DAY_S = 86_400.0


@dataclass(frozen=True)
class Kept:
    """What a store keeps under one key, as far as its size goes.

    Attributes:
        key: The stage key.
        size: Bytes of all its files.
        used: When it was last read or written, in seconds since 1970 by the clock of the file system.
    """

    key: str
    size: int
    used: float


def to_evict(
    entries: Iterable[Kept],
    *,
    most_bytes: int | None = None,
    used_before: float | None = None,
    open_since: float,
    last: Collection[str] = (),
) -> list[Kept]:
    """What to remove, the least recently used first.

    Args:
        entries: All that there is.
        most_bytes: Remove until no more than this is left.
        used_before: Remove what was last used before this time; with ``most_bytes``, whichever asks for it.
        open_since: What was used at this time or later is needed, and stays whatever the size.
        last: Keys that the fronts of finished studies need: for the size they go after all others, and never for
            their age.
    """
    entries = sorted(entries, key=lambda entry: (entry.key in last, entry.used, entry.key))
    left = sum(entry.size for entry in entries)
    chosen = []
    for entry in entries:
        too_large = most_bytes is not None and left > most_bytes
        too_old = used_before is not None and entry.used < used_before and entry.key not in last
        if entry.used < open_since and (too_large or too_old):
            chosen.append(entry)
            left -= entry.size
    return chosen


@contextmanager
def registered(folder: Path, name: str) -> Iterator[float]:
    """Be listed in ``folder`` as a user of the store until the block ends or this process dies.

    Yields:
        When the use began, by the clock of the file system.
    """
    folder.mkdir(parents=True, exist_ok=True)
    about = {"name": name, "host": socket.gethostname(), "process": os.getpid()}
    path = folder / uuid.uuid4().hex
    with marked(path, json.dumps(about)):
        yield path.stat().st_mtime


@contextmanager
def unfinished(root: Path) -> Iterator[Path]:
    """An empty folder ``files`` in a folder of its own, on the disk of the store at ``root``; gone afterwards.

    Raises:
        OSError: It cannot be made.
    """
    place = root / "unfinished" / uuid.uuid4().hex
    place.mkdir(parents=True)
    try:
        with marked(place / "lock", ""):
            folder = place / "entry" / FILES
            folder.mkdir(parents=True)
            yield folder
    finally:
        shutil.rmtree(place, ignore_errors=True)


def users(folder: Path) -> list[tuple[float, dict[str, Any]]]:
    """When each of the users of the store began, and who it is; the marks of dead ones are removed."""
    living = []
    for path in _files(folder):
        if is_held(path):
            with suppress(OSError, ValueError):  # it ended just now
                living.append((path.stat().st_mtime, json.loads(path.read_bytes())))
        elif not path.name.startswith(".") or _age(path) > DAY_S:
            _remove(path)
    return sorted(living, key=lambda user: user[0])


def write_wishes(folder: Path, owner: str, keys: Sequence[str]) -> None:
    """Note the ``keys`` that ``owner`` would like to keep, in place of those before."""
    write_document(folder / f"{hashlib.sha256(owner.encode()).hexdigest()[:32]}.json", {"owner": owner, "keys": keys})


def read_wishes(folder: Path) -> set[str]:
    """All the keys that somebody would like to keep."""
    documents = [read_document(path) for path in _files(folder)]
    return {str(key) for document in documents for key in document.get("keys") or ()}


def write_document(path: Path, document: dict[str, Any]) -> None:
    """Write a small JSON file whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{uuid.uuid4().hex}")
    try:
        fresh.write_text(json.dumps(document, indent=1))
        fresh.replace(path)
    finally:
        _remove(fresh)


def read_document(path: Path) -> dict[str, Any]:
    """What `write_document` wrote; empty where there is nothing, or nothing that can be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _remove(path: Path) -> None:
    with suppress(OSError):  # another process removed it, or it is another user's
        path.unlink(missing_ok=True)
