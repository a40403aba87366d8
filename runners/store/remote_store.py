"""A stage store on a remote file system, with a working copy on each machine that works for the search."""

import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from runners.store.entry import MANIFEST, DamagedEntry, StoredStage, parse_manifest, read_entry
from runners.store.locks import held
from runners.store.remote_eviction import FarRoom, place_of
from runners.store.remote_folder import FarFolder, FolderAway, is_url
from runners.store.remote_heartbeats import far_lock, far_use
from runners.store.stage_store import StageStore
from spaces.credentials import without_credentials
from spaces.errors import RequestError

__all__ = ["RemoteStore", "is_url"]

COPIES = "FRONTRUNNER_STAGE_COPIES"
"""The environment variable that names another folder for the working copies."""


class RemoteStore:
    """The store at a URL, used through a copy of what this machine needed of it.

    An entry lies there as a manifest and, in a folder called after the manifest's SHA-256, its files. The manifest
    is written last and removed first, so an entry without one does not exist, and of two that are written at once
    the later stays, whole. What is fetched is verified here, and used from here.

    Attributes:
        root: The folder of the working copy.

    Raises:
        RequestError: A package that the URL needs is missing, or the working copy cannot be written.
    """

    def __init__(self, url: str) -> None:
        self._far = FarFolder(url)
        self._near = StageStore(_copy_of(self._far.url))
        self.root = self._near.root

    def __str__(self) -> str:
        return without_credentials(self._far.url)

    def get(self, key: str) -> StoredStage | None:
        """The verified entry of ``key``, fetched where it is not here yet, or None.

        Raises:
            FolderAway: It is not here, and the remote file system does not answer.
        """
        here = self._near.get(key)
        if here is None:
            with held(self.root / "locks" / f"fetch-{key}.lock"):
                here = self._near.get(key) or self._fetch(key)
        else:
            with suppress(FolderAway):  # what is here can be used all the same
                self._offer(key)
        return here

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Hold the key while its stage is computed, on this machine for certain, elsewhere as far as `far_lock` can."""
        with self._near.alone(key), ExitStack() as stack:
            if not self._is_there(key):
                stack.enter_context(far_lock(self._far, f"locks/{key}", lambda: self._is_there(key)))
            yield

    @contextmanager
    def unfinished(self) -> Iterator[Path]:
        """See `StageStore.unfinished`."""
        with self._near.unfinished() as folder:
            yield folder

    def put(
        self, key: str, folder: Path, result: Mapping[str, Any], seconds: float, origin: Mapping[str, Any]
    ) -> StoredStage:
        """Make ``folder`` the entry of ``key``, here and there.

        Raises:
            FolderAway: It is kept here but could not be sent; the next one to ask for it here sends it.
            StageFailed: See `StageStore.put`, also for OSError.
        """
        entry = self._near.put(key, folder, result, seconds, origin)
        self._offer(key)
        self.room.keep_to_limit()
        return entry

    @contextmanager
    def in_use(self, name: str) -> Iterator[None]:
        """Protect what is read or written inside the block from eviction, here and there.

        Raises:
            RequestError: The remote file system cannot be written.
        """
        with ExitStack() as stack:
            stack.enter_context(self._near.in_use(name))
            try:
                stack.enter_context(far_use(self._far, name))
                self.room.limit_copy()
            except FolderAway as error:
                raise RequestError(f"{error}; check the address and the credentials of --stage-store") from error
            yield

    @property
    def room(self) -> FarRoom:
        """How much the remote store holds, and how much it shall."""
        return FarRoom(self._far, self._near.room)

    def wish(self, owner: str, keys: Sequence[str]) -> None:
        """Let these keys be evicted last, here and there."""
        self._near.wish(owner, keys)
        path = f"wishes/{hashlib.sha256(owner.encode()).hexdigest()[:32]}.json"
        self._far.write(path, json.dumps({"owner": owner, "keys": keys}).encode())

    def _is_there(self, key: str) -> bool:
        try:
            return self._far.read(f"{place_of(key)}/{MANIFEST}") is not None
        except FolderAway:
            return False

    def _fetch(self, key: str) -> StoredStage | None:
        """The entry, out of the remote store into the working copy; one that is damaged there is set aside."""
        for last_try in (False, True):
            raw = self._far.read(f"{place_of(key)}/{MANIFEST}")
            if raw is None:
                return None
            with self._near.unfinished() as folder:
                try:
                    self._download(key, raw, folder.parent)
                    read_entry(folder.parent, key)
                    fetched = self._near.adopt(key, folder.parent)
                    self._mark_used(key)
                    return fetched
                except (DamagedEntry, FileNotFoundError):  # the transfer may be to blame, the first time
                    if last_try:
                        self._set_aside(key, raw)
        return None

    def _download(self, key: str, raw: bytes, entry: Path) -> None:
        files = f"{place_of(key)}/{hashlib.sha256(raw).hexdigest()}"
        for name in parse_manifest(raw, key)["files"]:
            self._far.download(f"{files}/{name}", entry / name)
        (entry / MANIFEST).write_bytes(raw)

    def _offer(self, key: str) -> None:
        """Send what is here unless it is there."""
        if not self._is_there_for_certain(key):
            entry = self.root / "entries" / key[:2] / key
            raw = (entry / MANIFEST).read_bytes()
            files = f"{place_of(key)}/{hashlib.sha256(raw).hexdigest()}"
            for name in parse_manifest(raw, key)["files"]:
                self._far.upload(entry / name, f"{files}/{name}")
            self._far.write(f"{place_of(key)}/{MANIFEST}", raw)
        self._mark_used(key)

    def _is_there_for_certain(self, key: str) -> bool:
        return self._far.read(f"{place_of(key)}/{MANIFEST}") is not None

    def _mark_used(self, key: str) -> None:
        self._far.write(f"uses/{key}", b"used")

    def _set_aside(self, key: str, raw: bytes) -> None:
        if self._far.read(f"{place_of(key)}/{MANIFEST}") == raw:
            self._far.write(f"quarantine/{key[:16]}-{uuid.uuid4().hex[:8]}.json", raw)
            self._far.remove(f"{place_of(key)}/{MANIFEST}")


def _copy_of(url: str) -> Path:
    """The working copy's folder, in the user's own cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "frontrunner" / "stages"
    folder = Path(os.environ.get(COPIES) or cache)
    return folder.absolute() / hashlib.sha256(url.encode()).hexdigest()[:16]
