"""What a store that is too large evicts: what was not used for longest, and nothing that is in use."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class StoreEntry:
    """What lies in a store under one key, as far as its size goes.

    Attributes:
        key: The stage key.
        size: Bytes of all its files.
        used: When it was last read or written, in seconds since 1970.
    """

    key: str
    size: int
    used: float


def to_evict(
    entries: Iterable[StoreEntry],
    *,
    most_bytes: int | None = None,
    used_before: float | None = None,
    in_use_since: float,
    pinned: Collection[str] = (),
) -> list[StoreEntry]:
    """What to remove, the least recently used first.

    Args:
        entries: All that there is.
        most_bytes: Remove until no more than this is left.
        used_before: Remove what was last used before this time; with ``most_bytes``, whichever asks for it.
        in_use_since: What was used at this time or later stays, whatever the size.
        pinned: Keys that the fronts of finished studies need: for the size they go after all others, and never for
            their age.
    """
    entries = sorted(entries, key=lambda entry: (entry.key in pinned, entry.used, entry.key))
    left = sum(entry.size for entry in entries)
    chosen = []
    for entry in entries:
        too_large = most_bytes is not None and left > most_bytes
        too_old = used_before is not None and entry.used < used_before and entry.key not in pinned
        if entry.used < in_use_since and (too_large or too_old):
            chosen.append(entry)
            left -= entry.size
    return chosen
