"""Results of stages by their key: computed once, verified on every read, set aside when damaged."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from spaces.errors import RequestError

MANIFEST = "manifest.json"
FILES = "files"
SCHEMA = 1


@dataclass(frozen=True)
class StoredStage:
    """One verified entry of the store.

    Attributes:
        key: Its stage key.
        folder: Where its files lie, and nothing else.
        result: The stage's own figures.
        seconds: How long it took when it was computed.
    """

    key: str
    folder: Path
    result: Mapping[str, Any]
    seconds: float


class StageStore:
    """A folder of stage results, safe for several processes at once.

    An entry appears under its final name only when it is whole: its files are written elsewhere, synced,
    listed with their SHA-256 in a manifest, and renamed into place. Nothing in it is unpickled.

    Raises:
        RequestError: The folder cannot be made or written.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        try:
            for name in ("entries", "unfinished", "locks", "quarantine"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RequestError(f"the stage store {root} cannot be written ({error.strerror}); name another") from error

    def get(self, key: str) -> StoredStage | None:
        """The entry of ``key`` after checking every file, or None; a damaged entry is set aside first."""
        folder = self._folder(key)
        if not folder.is_dir():
            return None
        manifest = _verified_manifest(folder, key)
        if manifest is None:
            self._set_aside(folder)
            return None
        return StoredStage(key, folder / FILES, manifest["result"], manifest["seconds"])

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Hold the key while its stage is computed; whoever else needs it waits, also in other processes."""
        with FileLock(self.root / "locks" / f"{key}.lock"):
            yield

    @contextmanager
    def unfinished(self) -> Iterator[Path]:
        """An empty folder to write a result into; it is gone afterwards unless `put` took it."""
        entry = Path(tempfile.mkdtemp(dir=self.root / "unfinished"))
        (entry / FILES).mkdir()
        try:
            yield entry / FILES
        finally:
            shutil.rmtree(entry, ignore_errors=True)

    def put(self, key: str, folder: Path, result: Mapping[str, Any], seconds: float, origin: Mapping[str, Any]) -> None:
        """Make ``folder`` the entry of ``key``, whole or not at all.

        Args:
            key: The stage key.
            folder: From `unfinished`, with the stage's files.
            result: The stage's own figures, plain JSON types without NaN.
            seconds: How long the stage took.
            origin: What the key was made from, for people who look.
        """
        entry = folder.parent
        for file in folder.rglob("*"):
            if file.is_file():
                _sync(file)
        manifest = {
            "schema": SCHEMA,
            "key": key,
            "result": dict(result),
            "seconds": seconds,
            "origin": dict(origin),
            "files": _file_sums(entry),
        }
        path = entry / MANIFEST
        path.write_text(json.dumps(manifest, indent=1, allow_nan=False))
        _sync(path)
        destination = self._folder(key)
        destination.parent.mkdir(exist_ok=True)
        if destination.exists():
            self._set_aside(destination)
        os.rename(entry, destination)
        _sync(destination.parent)

    def _folder(self, key: str) -> Path:
        return self.root / "entries" / key[:2] / key

    def _set_aside(self, folder: Path) -> None:
        aside = Path(tempfile.mkdtemp(dir=self.root / "quarantine", prefix=f"{folder.name[:16]}-"))
        os.rename(folder, aside / folder.name)


def _verified_manifest(folder: Path, key: str) -> dict[str, Any] | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        whole = manifest["schema"] == SCHEMA and manifest["key"] == key and manifest["files"] == _file_sums(folder)
        return manifest if whole and isinstance(manifest["result"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file_sums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file but the manifest, by its path inside ``folder``."""
    files = sorted(f for f in folder.rglob("*") if f.is_file() and f != folder / MANIFEST)
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
