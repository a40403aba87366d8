"""How much a remote stage store holds, and keeping it and its copy on this machine to a limit."""

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runners.store.eviction import Capacity
from runners.store.eviction_order import StoreEntry
from runners.store.remote_files import Unreachable

CHECK_EVERY_S = 600.0
"""How often a machine looks at the size of a store with a limit: that takes a request for every thousand files."""

UNUSED_S = 86_400.0
"""A limit evicts only what no machine used for so long: a store at a URL does not know the users on other machines."""


@dataclass(frozen=True)
class RemoteCapacity(Capacity):
    """The size of a store at a URL; its users are those on this machine.

    Attributes:
        copy: The size of the working copy here.
        checked: A file whose age tells when this machine last looked at the limit.
    """

    copy: Capacity
    checked: Path

    def empty_quarantine(self) -> None:
        """Remove what was set aside, there and here."""
        super().empty_quarantine()
        self.copy.empty_quarantine()

    def pin(self, owner: str, keys: Sequence[str]) -> None:
        """Let these keys be evicted last, there and here, in place of those that ``owner`` named before."""
        super().pin(owner, keys)
        self.copy.pin(owner, keys)

    def evict(
        self,
        *,
        most_bytes: int | None = None,
        used_before: float | None = None,
        dry_run: bool = False,
        keep_since: float = math.inf,
    ) -> list[StoreEntry]:
        """Remove what `to_evict` chooses, from the remote store and from the copy here; what is in use here stays.

        Returns:
            What was removed from the remote store, or would be.
        """
        self.copy.evict(most_bytes=most_bytes, used_before=used_before, dry_run=dry_run)
        return super().evict(most_bytes=most_bytes, used_before=used_before, dry_run=dry_run, keep_since=keep_since)

    def limit_copy(self) -> None:
        """Let the working copy keep to the same limit."""
        limit = self.limit
        if limit != self.copy.limit:
            self.copy.set_limit(limit)

    def keep_to_limit(self) -> None:
        """Evict now and then what is over the limit, if there is one, and was not used for long on any machine."""
        with suppress(Unreachable, OSError):  # a store that cannot be made smaller now still has what was put
            limit = self.limit
            if limit is None or (self.checked.exists() and time.time() - self.checked.stat().st_mtime < CHECK_EVERY_S):
                return
            self.checked.touch()
            super().evict(most_bytes=limit, keep_since=time.time() - UNUSED_S)
