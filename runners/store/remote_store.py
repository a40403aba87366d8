"""A stage store at a URL, with a working copy on each machine that works for the search."""

import hashlib
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from runners.store.entry import MANIFEST, DamagedEntry, StoredStage, parse_manifest, read_entry
from runners.store.eviction import place_of
from runners.store.eviction_order import StoreEntry
from runners.store.folder_store import FolderStore
from runners.store.remote_eviction import RemoteCapacity
from runners.store.remote_files import RemoteFiles, Unreachable
from spaces.credentials import without_credentials
from spaces.errors import RequestError

COPIES = "FRONTRUNNER_STAGE_COPIES"
"""The environment variable that names another folder for the working copies."""

REACH_PAUSES_S = (0.5, 1.0)
"""How long to wait before each further try when a search begins: a wrong address is to be told at once."""


class RemoteStore:
    """A `StageStore` at a URL, used through a copy of what this machine needed of it.

    An entry lies there as a manifest and, in a folder called after the manifest's SHA-256, its files. The manifest
    is written last and removed first, so an entry without one does not exist, and of two that are written at once
    the later stays, whole. What is fetched is verified here, and used from here.

    Attributes:
        root: The folder of the working copy.
        capacity: How much the remote store holds.

    Raises:
        RequestError: A package that the URL needs is missing, or the working copy cannot be written.
    """

    def __init__(self, url: str) -> None:
        self._files = RemoteFiles(url)
        self._copy = FolderStore(_copy_of(self._files.url))
        self.root = self._copy.root
        copy = self._copy.capacity
        self.capacity = RemoteCapacity(self._files, copy.users, self._remove, copy, self.root / "limit-checked")

    def __str__(self) -> str:
        return without_credentials(self._files.url)

    def get(self, key: str) -> StoredStage | None:
        """The verified entry of ``key``, fetched where it is not on this machine yet, or None.

        Raises:
            Unreachable: It is not on this machine, and the remote store does not answer.
        """
        here = self._copy.get(key)
        if here is None:
            return self._fetch(key)
        with suppress(Unreachable):  # what is here can be used all the same
            self._send(key)
        return here

    def unfinished(self) -> AbstractContextManager[Path]:
        """An empty folder on this machine to write a result into; it is gone afterwards unless `put` took it."""
        return self._copy.unfinished()

    def put(
        self, key: str, folder: Path, result: Mapping[str, Any], seconds: float, origin: Mapping[str, Any]
    ) -> StoredStage:
        """Make ``folder`` the entry of ``key`` here and there unless one is there; what a read gives then.

        Raises:
            Unreachable: It is kept here but could not be sent; the next to ask for it on this machine sends it.
            StageFailed: The stage left something that is not kept.
            OSError: It cannot be written here.
        """
        entry = self._copy.put(key, folder, result, seconds, origin)
        self._send(key)
        self.capacity.keep_to_limit()
        return entry

    @contextmanager
    def in_use(self, name: str) -> Iterator[None]:
        """Keep what is read or written inside the block from being evicted by this machine; others do not learn of it.

        Raises:
            RequestError: The remote store cannot be written.
        """
        with self._copy.in_use(name):
            try:
                self._files.write("last-used-for", name.encode(), REACH_PAUSES_S)
                self.capacity.limit_copy()
            except Unreachable as error:
                raise RequestError(f"{error}; check the address and the credentials of --stage-store") from error
            yield

    def _fetch(self, key: str) -> StoredStage | None:
        """The entry, out of the remote store into the working copy; one that is damaged there is set aside."""
        for last_try in (False, True):
            raw = self._files.read(f"{place_of(key)}/{MANIFEST}")
            if raw is None:
                return None
            with self._copy.unfinished() as folder:
                try:
                    self._download(key, raw, folder.parent)
                    read_entry(folder.parent, key)
                    fetched = self._copy.commit(key, folder.parent)
                    self._mark_used(key)
                    return fetched
                except (DamagedEntry, FileNotFoundError):  # the transfer may be to blame, the first time
                    if last_try:
                        self._quarantine(key, raw)
        return None

    def _download(self, key: str, raw: bytes, entry: Path) -> None:
        files = f"{place_of(key)}/{hashlib.sha256(raw).hexdigest()}"
        for name in parse_manifest(raw, key)["files"]:
            self._files.download(f"{files}/{name}", entry / name)
        (entry / MANIFEST).write_bytes(raw)

    def _send(self, key: str) -> None:
        """Send the entry that is here unless the remote store has one, and mark it as used there."""
        if self._files.read(f"{place_of(key)}/{MANIFEST}") is None:
            entry = self.root / place_of(key)
            raw = (entry / MANIFEST).read_bytes()
            files = f"{place_of(key)}/{hashlib.sha256(raw).hexdigest()}"
            for name in parse_manifest(raw, key)["files"]:
                self._files.upload(entry / name, f"{files}/{name}")
            self._files.write(f"{place_of(key)}/{MANIFEST}", raw)
        self._mark_used(key)

    def _mark_used(self, key: str) -> None:
        self._files.write(f"uses/{key}", b"used")

    def _quarantine(self, key: str, raw: bytes) -> None:
        if self._files.read(f"{place_of(key)}/{MANIFEST}") == raw:
            self._files.write(f"quarantine/{key[:16]}-{uuid.uuid4().hex[:8]}.json", raw)
            self._files.remove(f"{place_of(key)}/{MANIFEST}")

    def _remove(self, entry: StoreEntry) -> bool:
        for path in (f"{place_of(entry.key)}/{MANIFEST}", place_of(entry.key), f"uses/{entry.key}"):
            self._files.remove(path)
        return True


def _copy_of(url: str) -> Path:
    """The working copy's folder, in the user's own cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "frontrunner" / "stages"
    folder = Path(os.environ.get(COPIES) or cache)
    return folder.absolute() / hashlib.sha256(url.encode()).hexdigest()[:16]
