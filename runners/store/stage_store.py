"""Results of stages by their key: computed once, verified on every read, set aside when damaged."""

import errno
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from runners.store.entry import MANIFEST, DamagedEntry, StoredStage, read_entry, sync, write_manifest
from runners.store.eviction import StoreRoom
from runners.store.locks import held
from runners.store.usage import registered, unfinished, write_wishes
from spaces.errors import RequestError

__all__ = ["StageStore", "StoredStage"]

PARTS = ("entries", "unfinished", "locks", "quarantine", "users", "wishes")
NOT_OURS_TO_WRITE = (errno.EROFS, errno.EACCES, errno.EPERM)


class StageStore:
    """A folder of stage results, safe for several processes at once, also of several machines that share it.

    An entry appears under its final name only when it is whole: its files are written elsewhere, synced,
    listed with their SHA-256 in a manifest, and renamed into place. Nothing in it is unpickled.

    It may have a limit, and then what was not used for longest goes, but nothing that was used since the oldest
    of those who use the store now (`in_use`) began. Only a file system that knows of locks can tell who that is.

    Attributes:
        root: The folder.

    Raises:
        RequestError: The folder cannot be made or written.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        try:
            self._make()
        except OSError as error:
            raise self._unwritable(error) from error

    def __str__(self) -> str:
        return str(self.root)

    def get(self, key: str) -> StoredStage | None:
        """The entry of ``key`` after checking every file, or None; a damaged entry is set aside first.

        An entry that can neither be read nor be set aside, as on a mount that is away or read-only, is none.
        """
        folder = self._folder(key)
        with suppress(OSError):  # no entry, or not ours to touch: then it only looks less used than it is
            os.utime(folder / MANIFEST, follow_symlinks=False)
        try:
            return read_entry(folder, key)
        except DamagedEntry:
            with suppress(OSError):
                self._set_aside(folder)
            return None
        except OSError:
            return None

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Hold the key while its stage is computed; whoever else needs it waits, also in other processes."""
        with self._if_ours(held(self.root / "locks" / f"{key}.lock")):
            yield

    @contextmanager
    def unfinished(self) -> Iterator[Path]:
        """An empty folder to write a result into; it is gone afterwards unless `put` took it."""
        self._make()  # somebody may have removed the store since
        with unfinished(self.root) as folder:
            yield folder

    def put(
        self, key: str, folder: Path, result: Mapping[str, Any], seconds: float, origin: Mapping[str, Any]
    ) -> StoredStage:
        """Make ``folder`` the entry of ``key``, whole or not at all; an entry that came first and is whole stays.

        Args:
            key: The stage key.
            folder: From `unfinished`, with the stage's files.
            result: The stage's own figures, plain JSON types without NaN.
            seconds: How long the stage took.
            origin: What the key was made from, for people who look.

        Returns:
            The entry as a read would give it.

        Raises:
            StageFailed: The stage left something that is not kept.
            OSError: It cannot be written; nothing of it is in the store.
        """
        content = {"key": key, "result": dict(result), "seconds": seconds, "origin": dict(origin), "made": time.time()}
        write_manifest(folder.parent, content)
        return self.adopt(key, folder.parent)

    def adopt(self, key: str, entry: Path) -> StoredStage:
        """Give a whole entry from `unfinished`, manifest and all, its final name; one that is there and whole stays.

        Raises:
            DamagedEntry: It is not the entry of ``key``.
            OSError: It cannot be moved.
        """
        destination = self._folder(key)
        destination.parent.mkdir(parents=True, exist_ok=True)
        while (there := self.get(key)) is None:
            if os.path.lexists(destination):
                self._set_aside(destination)
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
        self.room.keep_to_limit()
        return there

    @contextmanager
    def in_use(self, name: str) -> Iterator[None]:
        """Protect what is read or written inside the block from eviction, until this process ends at the latest.

        Args:
            name: Of the study or the stage, for people who look.

        Raises:
            RequestError: The store cannot be written; one that is only read needs no protection from here.
        """
        self.room.sweep()
        with self._if_ours(registered(self.root / "users", name)):
            yield

    @property
    def room(self) -> StoreRoom:
        """How much the store holds, and how much it shall."""
        return StoreRoom(self.root)

    def wish(self, owner: str, keys: Sequence[str]) -> None:
        """Let these keys be evicted last, in place of those that ``owner`` named before.

        Raises:
            OSError: It cannot be written.
        """
        write_wishes(self.root / "wishes", owner, keys)

    @contextmanager
    def _if_ours(self, inside: AbstractContextManager[Any]) -> Iterator[None]:
        """Be ``inside`` where the store may be written; one that is only read goes without."""
        with ExitStack() as stack:
            try:
                stack.enter_context(inside)
            except OSError as error:
                if error.errno not in NOT_OURS_TO_WRITE:
                    raise self._unwritable(error) from error
            yield

    def _make(self) -> None:
        for name in PARTS:
            (self.root / name).mkdir(parents=True, exist_ok=True)

    def _folder(self, key: str) -> Path:
        return self.root / "entries" / key[:2] / key

    def _set_aside(self, folder: Path) -> None:
        aside = self.root / "quarantine" / f"{folder.name[:16]}-{uuid.uuid4().hex[:16]}"
        aside.mkdir(parents=True)
        try:
            os.rename(folder, aside / "entry")
        except FileNotFoundError:
            aside.rmdir()  # somebody else did it
        except OSError:
            aside.rmdir()
            raise

    def _unwritable(self, error: OSError) -> RequestError:
        return RequestError(
            f"the stage store {self.root} cannot be written ({error.strerror}); name another with --stage-store"
        )
