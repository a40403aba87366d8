"""A stage store in a folder."""

import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from runners.store.entry import FILES, MANIFEST, DamagedEntry, StoredStage, read_entry, sync, write_manifest
from runners.store.eviction import Capacity, last_used, place_of
from runners.store.eviction_order import StoreEntry
from runners.store.local_files import LocalFiles
from runners.store.users import Users
from spaces.errors import RequestError

PARTS = ("entries", "unfinished", "quarantine", "users", "pins")
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


class FolderStore:
    """A `StageStore` in a folder, which several machines may share.

    An entry appears under its final name only when it is whole: its files are written elsewhere, synced,
    listed with their SHA-256 in a manifest, and renamed into place. Nothing in it is unpickled.

    Attributes:
        root: The folder.
        capacity: How much the store holds. Only a file system with locks can tell which users are alive.

    Raises:
        RequestError: The folder cannot be made or written.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._users = Users(self.root / "users")
        self.capacity = Capacity(LocalFiles(self.root), self._users, self._remove_unless_used)
        try:
            self._make()
        except OSError as error:
            raise self._unwritable(error) from error

    def __str__(self) -> str:
        return str(self.root)

    def get(self, key: str) -> StoredStage | None:
        """The verified entry of ``key``, or None; a damaged one is set aside first.

        An entry that can neither be read nor be set aside, as in a folder that may only be read, counts as missing.
        """
        folder = self.root / place_of(key)
        with suppress(OSError):  # no entry, or one that may only be read: then it only looks less used than it is
            os.utime(folder / MANIFEST, follow_symlinks=False)
        try:
            return read_entry(folder, key)
        except DamagedEntry:
            with suppress(OSError):
                self._quarantine(folder)
            return None
        except OSError:
            return None

    @contextmanager
    def unfinished(self) -> Iterator[Path]:
        """An empty folder to write a result into; it is gone afterwards unless `put` took it."""
        self._make()  # somebody may have removed the store since
        with self._users.register("") as user:
            place = self.root / "unfinished" / user
            folder = place / "entry" / FILES
            try:
                folder.mkdir(parents=True)
                yield folder
            finally:
                shutil.rmtree(place, ignore_errors=True)

    def put(
        self, key: str, folder: Path, result: Mapping[str, Any], seconds: float, origin: Mapping[str, Any]
    ) -> StoredStage:
        """Make ``folder`` the entry of ``key`` unless one is there that is whole; what a read gives then.

        Raises:
            StageFailed: The stage left something that is not kept.
            OSError: It cannot be written; nothing of it is in the store.
        """
        content = {"key": key, "result": dict(result), "seconds": seconds, "origin": dict(origin), "made": time.time()}
        write_manifest(folder.parent, content)
        return self.commit(key, folder.parent)

    def commit(self, key: str, entry: Path) -> StoredStage:
        """Give a whole entry from `unfinished`, manifest and all, its final name; one that is there and whole stays.

        Raises:
            DamagedEntry: It is not the entry of ``key``.
            OSError: It cannot be moved.
        """
        destination = self.root / place_of(key)
        destination.parent.mkdir(parents=True, exist_ok=True)
        while (there := self.get(key)) is None:
            if os.path.lexists(destination):
                self._quarantine(destination)
            try:
                os.rename(entry, destination)
            except FileExistsError:
                continue  # somebody was first
            except OSError:
                if not os.path.lexists(entry) or not os.path.lexists(destination):
                    raise
                continue
            sync(destination.parent)
            there = read_entry(destination, key)
            break
        self.capacity.keep_to_limit()
        return there

    @contextmanager
    def in_use(self, name: str) -> Iterator[None]:
        """Keep what is read or written inside the block, until this process ends at the latest, from being evicted.

        Raises:
            RequestError: The folder cannot be written, and not because it may only be read.
        """
        with ExitStack() as stack:
            try:
                self._remove_leftovers()
                stack.enter_context(self._users.register(name))
            except OSError as error:
                if error.errno not in READ_ONLY:
                    raise self._unwritable(error) from error
            yield

    def _make(self) -> None:
        for name in PARTS:
            (self.root / name).mkdir(parents=True, exist_ok=True)

    def _quarantine(self, folder: Path) -> None:
        aside = self.root / "quarantine" / f"{folder.name[:16]}-{uuid.uuid4().hex[:16]}"
        aside.mkdir(parents=True)
        try:
            os.rename(folder, aside / "entry")
        except FileNotFoundError:
            aside.rmdir()  # somebody else did it
        except OSError:
            aside.rmdir()
            raise

    def _remove_unless_used(self, entry: StoreEntry) -> bool:
        """Take the entry out of sight and remove it, or put it back where somebody read it since it was chosen."""
        folder = self.root / place_of(entry.key)
        try:
            with self.unfinished() as trash:
                os.rename(folder, trash / "entry")
                if last_used(LocalFiles(trash).find("entry")) == entry.used:
                    return True
                os.rename(trash / "entry", folder)
        except OSError:
            return False  # somebody else removed it, or put it anew
        return False

    def _remove_leftovers(self) -> None:
        """Remove what processes that died left half-written, and their marks."""
        for place in (self.root / "unfinished").glob("*"):
            if not self._users.alive(place.name):
                shutil.rmtree(place, ignore_errors=True)
        self._users.living()

    def _unwritable(self, error: OSError) -> RequestError:
        return RequestError(
            f"the stage store {self.root} cannot be written ({error.strerror}); name another with --stage-store"
        )
