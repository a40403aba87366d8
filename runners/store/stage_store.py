"""The contract of a stage store: results of stages by their key, in a folder or at a URL."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from runners.store.entry import StoredStage
from runners.store.eviction import Capacity


class StageStore(Protocol):
    """Results of stages by their key, verified on every read; safe for several processes at once.

    Of two processes that compute one result, the first to put it is kept, and the other is given that one.
    """

    @property
    def root(self) -> Path:
        """The local folder in which results are written and read."""

    @property
    def capacity(self) -> Capacity:
        """How much the store holds, how much it may hold, and what it evicts."""

    def get(self, key: str) -> StoredStage | None:
        """The entry of ``key`` after checking every file, or None; a damaged one is set aside.

        Raises:
            WorkFailed: A remote store does not answer, and the entry is not on this machine.
        """

    def unfinished(self) -> AbstractContextManager[Path]:
        """An empty folder to write a result into; it is gone afterwards unless `put` took it."""

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
            WorkFailed: A remote store does not answer; the next to ask for the entry on this machine sends it.
        """

    def in_use(self, name: str) -> AbstractContextManager[None]:
        """Keep what is read or written inside the block from being evicted on this machine.

        Args:
            name: Of the study or the stage, for people who look.

        Raises:
            RequestError: The store cannot be reached or written. A folder that may only be read is used all the same.
        """
