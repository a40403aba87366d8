"""How much a folder of stage results holds, how much it may hold, and what goes when that is too much."""

import os
import re
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runners.store.entry import MANIFEST, peek
from runners.store.locks import held, is_held
from runners.store.usage import (
    DAY_S,
    Kept,
    read_document,
    read_wishes,
    registered,
    to_evict,
    unfinished,
    users,
    write_document,
)

_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class StoreRoom:
    """The size of the stage store in the folder ``root``.

    What was not used for longest goes first, but nothing that was used since the oldest of those who use the store
    now began. Only a file system that knows of locks can tell who that is.
    """

    root: Path

    @property
    def limit(self) -> int | None:
        """How many bytes the store shall hold at most, or None."""
        found = read_document(self.root / "settings.json").get("limit_bytes")
        return found if isinstance(found, int) and found >= 0 else None

    def set_limit(self, limit: int | None) -> None:
        """Let the store hold at most so many bytes from the next result on; None is no limit.

        Raises:
            OSError: The store cannot be written.
        """
        write_document(self.root / "settings.json", {"limit_bytes": limit})

    def entries(self) -> list[Kept]:
        """What the store keeps, whole or not; nothing is verified."""
        found = (self._kept(folder) for folder in (self.root / "entries").glob("??/*") if _KEY.fullmatch(folder.name))
        return [entry for entry in found if entry is not None]

    def manifest(self, key: str) -> dict[str, Any]:
        """The manifest of an entry, its files unread; empty where it is damaged."""
        return peek(self.root / "entries" / key[:2] / key, key)

    def quarantined(self) -> list[Kept]:
        """What was set aside, under the names that it has there."""
        found = (self._kept(folder) for folder in (self.root / "quarantine").glob("*"))
        return [entry for entry in found if entry is not None]

    def empty_quarantine(self) -> None:
        """Remove what was set aside."""
        for entry in self.quarantined():
            shutil.rmtree(self.root / "quarantine" / entry.key, ignore_errors=True)

    def evict(
        self, *, most_bytes: int | None = None, used_before: float | None = None, dry_run: bool = False
    ) -> list[Kept]:
        """Remove what `to_evict` chooses; what is used in this moment stays.

        Returns:
            What was removed, or would be.
        """
        # Whoever begins after us reads after us, and what was read since then stays: no gap in between.
        with registered(self.root / "users", "eviction"), held(self.root / "locks" / "eviction.lock"):
            open_since = min((began for began, _ in users(self.root / "users")), default=0.0)
            wishes = read_wishes(self.root / "wishes")
            chosen = to_evict(
                self.entries(), most_bytes=most_bytes, used_before=used_before, open_since=open_since, last=wishes
            )
            return chosen if dry_run else [entry for entry in chosen if self._removed(entry)]

    def keep_to_limit(self) -> None:
        """Evict what is over the limit, if there is one."""
        limit = self.limit
        if limit is None:
            return
        with suppress(OSError):  # a store that cannot be made smaller now still has what was put
            if sum(entry.size for entry in self.entries()) > limit:
                self.evict(most_bytes=limit)

    def _removed(self, entry: Kept) -> bool:
        """Take the entry out of sight, and back where somebody read it since it was chosen."""
        folder = self.root / "entries" / entry.key[:2] / entry.key
        try:
            with unfinished(self.root) as trash:
                os.rename(folder, trash / "entry")
                if self._used(trash / "entry") == entry.used:
                    return True
                os.rename(trash / "entry", folder)
        except OSError:
            return False  # somebody else removed it, or put it anew
        return False

    def _kept(self, folder: Path) -> Kept | None:
        try:
            size = sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
            return Kept(folder.name, size, self._used(folder))
        except OSError:
            return None  # it went away

    @staticmethod
    def _used(folder: Path) -> float:
        try:
            return (folder / MANIFEST).lstat().st_mtime
        except (FileNotFoundError, NotADirectoryError):
            return folder.lstat().st_mtime

    def sweep(self) -> None:
        """Remove what processes that died left half-written."""
        for place in (self.root / "unfinished").glob("*"):
            lock = place / "lock"
            with suppress(OSError):  # it ended by itself
                young = time.time() - place.stat().st_mtime < DAY_S
                if (lock.exists() and not is_held(lock)) or not (lock.exists() or young):
                    shutil.rmtree(place, ignore_errors=True)

    def users(self) -> list[str]:
        """The names under which the store is in use now."""
        return [str(about.get("name")) for _, about in users(self.root / "users")]
