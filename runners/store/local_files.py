"""The files below a local folder, by paths relative to it."""

import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runners.store.entry import DamagedEntry, read_regular
from runners.store.eviction import FileInfo


@dataclass(frozen=True)
class LocalFiles:
    """Files by their paths relative to the folder ``root``, with ``/`` between the parts."""

    root: Path

    def read(self, path: str) -> bytes | None:
        """The content of a file, or None where there is no regular file that can be read."""
        try:
            return read_regular(self.root / path)
        except (OSError, DamagedEntry):
            return None

    def write(self, path: str, content: bytes) -> None:
        """Write a small file whole or not at all, over one that is there.

        Raises:
            OSError: It cannot be written.
        """
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f".{uuid.uuid4().hex}")
        try:
            fresh.write_bytes(content)
            fresh.replace(file)
        finally:
            fresh.unlink(missing_ok=True)

    def remove(self, path: str) -> None:
        """Remove a folder with all that is in it, as far as that is possible."""
        shutil.rmtree(self.root / path, ignore_errors=True)

    def find(self, path: str) -> dict[str, FileInfo]:
        """Size and time of change of everything below a folder, by its path from there; no link is followed.

        An empty folder counts as a file of no bytes.
        """
        return dict(_walk(self.root / path, ""))


def _walk(path: Path, inside: str) -> Iterator[tuple[str, FileInfo]]:
    with suppress(OSError):  # what goes away meanwhile is not there
        about = path.lstat()
        is_folder = stat.S_ISDIR(about.st_mode)
        names = os.listdir(path) if is_folder else []
        if not names:
            yield inside, FileInfo(0 if is_folder else about.st_size, about.st_mtime)
        for name in names:
            yield from _walk(path / name, f"{inside}/{name}" if inside else name)
