"""How much a stage store holds, how much it may hold, and what it evicts when that is too much."""

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from runners.store.entry import MANIFEST, DamagedEntry, parse_manifest
from runners.store.eviction_order import StoreEntry, to_evict
from runners.store.users import Users

_KEY = re.compile(r"[0-9a-f]{64}")
_SETTINGS = "settings.json"


class FileInfo(NamedTuple):
    """Size in bytes and time of change, in seconds since 1970, of a file."""

    size: int
    changed: float


class Files(Protocol):
    """The files of a store, local or remote, by paths relative to its root with ``/`` between their parts."""

    def read(self, path: str) -> bytes | None:
        """The content of a file, or None where there is none."""

    def write(self, path: str, content: bytes) -> None:
        """Write a small file, over one that is there."""

    def remove(self, path: str) -> None:
        """Remove a folder with all that is in it; nothing to do where there is none."""

    def find(self, path: str) -> dict[str, FileInfo]:
        """Every file below a folder, by its path from there."""


@dataclass(frozen=True)
class Capacity:
    """The size of a stage store.

    What was not used for longest is evicted first, but nothing that was used since the oldest of its users began.

    Attributes:
        files: The files of the store.
        users: Who uses it.
        remove: Removes an entry from it; whether the entry is gone.
    """

    files: Files
    users: Users
    remove: Callable[[StoreEntry], bool]

    @property
    def limit(self) -> int | None:
        """How many bytes the store shall hold at most, or None."""
        found = _document(self.files.read(_SETTINGS)).get("limit_bytes")
        return found if isinstance(found, int) and found >= 0 else None

    def set_limit(self, limit: int | None) -> None:
        """Let the store hold at most so many bytes from the next result on; None is no limit.

        Raises:
            OSError: The store cannot be written.
            WorkFailed: The same, of a remote one.
        """
        self.files.write(_SETTINGS, json.dumps({"limit_bytes": limit}).encode())

    def entries(self) -> list[StoreEntry]:
        """What the store holds, whole or not; nothing is verified."""
        uses = self.files.find("uses")
        found = []
        for place, files in _by_folder(self.files.find("entries"), depth=2).items():
            key = place.rpartition("/")[2]
            if _KEY.fullmatch(key):
                used = max(last_used(files), uses[key].changed if key in uses else 0.0)
                found.append(StoreEntry(key, _size(files), used))
        return found

    def in_use_by(self) -> list[str]:
        """What the store is used for now, the first that began first."""
        return [user.name for user in self.users.living() if user.name]

    def manifest(self, key: str) -> dict[str, Any]:
        """The manifest of an entry, its files unread; empty where it is damaged."""
        try:
            return parse_manifest(self.files.read(f"{place_of(key)}/{MANIFEST}") or b"", key)
        except DamagedEntry:
            return {}

    def quarantined(self) -> list[StoreEntry]:
        """What was set aside as damaged, under the names that it has there."""
        folders = _by_folder(self.files.find("quarantine"), depth=1)
        return [StoreEntry(name, _size(files), last_used(files)) for name, files in folders.items() if name]

    def empty_quarantine(self) -> None:
        """Remove what was set aside."""
        self.files.remove("quarantine")

    def pin(self, owner: str, keys: Sequence[str]) -> None:
        """Let these keys be evicted last, in place of those that ``owner`` named before.

        Raises:
            OSError: It cannot be written.
            WorkFailed: The same, of a remote store.
        """
        path = f"pins/{hashlib.sha256(owner.encode()).hexdigest()[:32]}.json"
        self.files.write(path, json.dumps({"owner": owner, "keys": keys}).encode())

    def evict(
        self,
        *,
        most_bytes: int | None = None,
        used_before: float | None = None,
        dry_run: bool = False,
        keep_since: float = math.inf,
    ) -> list[StoreEntry]:
        """Remove what `to_evict` chooses; what was used at ``keep_since`` or later stays, as what is in use does.

        Returns:
            What was removed, or would be.
        """
        # Whoever begins after this user reads after it, and what was read since then stays: no gap in between.
        with self.users.register("eviction"):
            began = min((user.began for user in self.users.living()), default=0.0)
            pins = [_document(self.files.read(f"pins/{name}")) for name in self.files.find("pins") if name]
            chosen = to_evict(
                self.entries(),
                most_bytes=most_bytes,
                used_before=used_before,
                in_use_since=min(began, keep_since),
                pinned={str(key) for document in pins for key in document.get("keys") or ()},
            )
            return chosen if dry_run else [entry for entry in chosen if self.remove(entry)]

    def keep_to_limit(self) -> None:
        """Evict what is over the limit, if there is one."""
        limit = self.limit
        if limit is None:
            return
        with suppress(OSError):  # a store that cannot be made smaller now still has what was put
            if sum(entry.size for entry in self.entries()) > limit:
                self.evict(most_bytes=limit)


def place_of(key: str) -> str:
    """The folder of an entry inside the store."""
    return f"entries/{key[:2]}/{key}"


def last_used(files: Mapping[str, FileInfo]) -> float:
    """When the entry that consists of these files was last used: the time of its manifest, which each use renews."""
    newest = max((info.changed for info in files.values()), default=0.0)
    return files[MANIFEST].changed if MANIFEST in files else newest


def _by_folder(found: Mapping[str, FileInfo], depth: int) -> dict[str, dict[str, FileInfo]]:
    """The files in each folder that lies so deep, by their paths from there."""
    folders: dict[str, dict[str, FileInfo]] = {}
    for path, info in found.items():
        parts = path.split("/")
        folders.setdefault("/".join(parts[:depth]), {})["/".join(parts[depth:])] = info
    return folders


def _size(files: Mapping[str, FileInfo]) -> int:
    return sum(info.size for info in files.values())


def _document(raw: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(raw or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
