"""How much a remote stage store holds, how much it may hold, and what goes when that is too much."""

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from runners.store.entry import MANIFEST, DamagedEntry, parse_manifest
from runners.store.eviction import StoreRoom
from runners.store.remote_folder import FarFolder, FolderAway
from runners.store.remote_heartbeats import far_use, far_users
from runners.store.usage import DAY_S, Kept, to_evict

LIMIT_EVERY_S = 600.0


@dataclass(frozen=True)
class FarRoom:
    """The size of the stage store in the folder ``far``, of which ``near`` is the working copy here."""

    far: FarFolder
    near: StoreRoom

    @property
    def limit(self) -> int | None:
        """How many bytes the store shall hold at most, and each working copy of it, or None."""
        found = _document(self.far.read("settings.json")).get("limit_bytes")
        return found if isinstance(found, int) else None

    def set_limit(self, limit: int | None) -> None:
        """Let the store hold at most so many bytes; None is no limit."""
        self.far.write("settings.json", json.dumps({"limit_bytes": limit}).encode())

    def entries(self) -> list[Kept]:
        """What the remote store keeps; nothing is verified."""
        found, uses = self.far.find("entries"), self.far.find("uses")
        sizes: dict[str, int] = {}
        for path, (size, _) in found.items():
            key = path.split("/")[1] if path.count("/") > 1 else ""
            sizes[key] = sizes.get(key, 0) + size
        kept = []
        for key, size in sizes.items():
            manifest = found.get(f"{key[:2]}/{key}/{MANIFEST}")
            if manifest is not None:
                kept.append(Kept(key, size, max(manifest[1], uses.get(key, (0, 0.0))[1])))
        return kept

    def manifest(self, key: str) -> dict[str, Any]:
        """The manifest of an entry; empty where it is damaged."""
        try:
            return parse_manifest(self.far.read(f"{place_of(key)}/{MANIFEST}") or b"", key)
        except DamagedEntry:
            return {}

    def quarantined(self) -> list[Kept]:
        """The manifests that were set aside."""
        return [Kept(name, size, changed) for name, (size, changed) in self.far.find("quarantine").items()]

    def empty_quarantine(self) -> None:
        """Remove what was set aside, there and here."""
        self.near.empty_quarantine()
        self.far.remove("quarantine")

    def evict(
        self, *, most_bytes: int | None = None, used_before: float | None = None, dry_run: bool = False
    ) -> list[Kept]:
        """Remove what `to_evict` chooses from the remote store, and from this machine's copy; what is in use stays.

        What interrupted writers left there goes too, a day later.
        """
        with far_use(self.far, "eviction"):
            open_since = min((began for began, _ in far_users(self.far)), default=0.0)
            wishes = [_document(self.far.read(f"wishes/{name}")) for name in self.far.find("wishes")]
            last = {str(key) for wish in wishes for key in wish.get("keys") or ()}
            chosen = to_evict(
                self.entries(), most_bytes=most_bytes, used_before=used_before, open_since=open_since, last=last
            )
            if not dry_run:
                for entry in chosen:
                    self._remove(entry.key)
                self._remove_leftovers(open_since)
                self.near.evict(most_bytes=most_bytes, used_before=used_before)
        return chosen

    def users(self) -> list[str]:
        """The names under which the store is in use now."""
        with far_use(self.far, "looking"):
            return [name for _, name in far_users(self.far) if name != "looking"]

    def limit_copy(self) -> None:
        """Let the working copy keep to the same limit."""
        limit = self.limit
        if limit != self.near.limit:
            self.near.set_limit(limit)

    def _remove(self, key: str) -> None:
        self.far.remove(f"{place_of(key)}/{MANIFEST}")
        self.far.remove(place_of(key))
        self.far.remove(f"uses/{key}")

    def _remove_leftovers(self, now: float) -> None:
        found = self.far.find("entries")
        newest: dict[str, float] = {}
        for path, (_, changed) in found.items():
            newest[path.split("/")[1]] = max(changed, newest.get(path.split("/")[1], 0.0))
        for key, changed in newest.items():
            if f"{key[:2]}/{key}/{MANIFEST}" not in found and changed < now - DAY_S:
                self.far.remove(place_of(key))

    def keep_to_limit(self) -> None:
        """Now and then: looking through a remote store takes a request for every thousand files."""
        mark = self.near.root / "limit-looked-at"
        with suppress(FolderAway, OSError):  # a store that cannot be made smaller now still has what was put
            limit = self.limit
            if limit is None or (mark.exists() and time.time() - mark.stat().st_mtime < LIMIT_EVERY_S):
                return
            mark.touch()
            self.evict(most_bytes=limit)


def place_of(key: str) -> str:
    """The folder of an entry inside the store."""
    return f"entries/{key[:2]}/{key}"


def _document(raw: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(raw or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
