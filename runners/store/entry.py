"""One entry of a stage store: files, and a manifest with their checksums, without which it is no entry."""

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from runners.runner import StageFailed

MANIFEST = "manifest.json"
FILES = "files"
SCHEMA = 2
LARGEST_MANIFEST = 16 * 2**20
_REGULAR_ONLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class DamagedEntry(Exception):
    """The entry is not what was once put there; the message says in what."""


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


def canonical(document: Any) -> bytes:
    """``document`` as JSON, in the one form that is stored and hashed.

    Raises:
        ValueError: It holds NaN or an infinite number.
        TypeError: It holds what JSON does not know.
    """
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def write_manifest(entry: Path, content: Mapping[str, Any]) -> None:
    """List the files of ``entry`` with their SHA-256 in a manifest that also carries its own; all of it is synced.

    Args:
        entry: The folder of the entry, with the stage's files in `FILES`.
        content: ``key``, ``result``, ``seconds`` and what else is to be known, in plain JSON types without NaN.

    Raises:
        StageFailed: The stage left something other than files and folders.
        OSError: It cannot be written.
    """
    try:
        files = dict(_sums(entry))
    except DamagedEntry as error:
        raise StageFailed(f"it left {error}, which the stage store does not keep") from error
    # Through JSON and back first: a whole number as a key becomes text, which sorts differently.
    manifest = json.loads(canonical({**content, "schema": SCHEMA, "files": files}))
    whole = canonical({"manifest": manifest, "sha256": _sha256(canonical(manifest))})
    if len(whole) > LARGEST_MANIFEST:
        raise StageFailed(f"its figures take {len(whole) / 2**20:.0f} MiB; write a file for what is so large")
    with (entry / MANIFEST).open("xb") as file:
        file.write(whole)
    for folder, _, names in os.walk(entry):
        for path in [*(os.path.join(folder, name) for name in names), folder]:
            sync(path)


def read_entry(entry: Path, key: str) -> StoredStage:
    """The entry in the folder ``entry`` after checking its manifest and every one of its files.

    Raises:
        DamagedEntry: It is not the entry of ``key``, or a file is missing, new, or not as it was.
        FileNotFoundError: There is no such folder.
        OSError: It cannot be read now.
    """
    if not stat.S_ISDIR(os.lstat(entry).st_mode):
        raise DamagedEntry("no folder")
    manifest = parse_manifest(_manifest_bytes(entry), key)
    found = dict(_sums(entry, manifest["files"]))
    if found != manifest["files"]:
        raise DamagedEntry("other files than its manifest lists")
    return StoredStage(key, entry / FILES, manifest["result"], manifest["seconds"])


def parse_manifest(raw: bytes, key: str) -> dict[str, Any]:
    """The content of a manifest, if every byte of it is as it was written.

    Raises:
        DamagedEntry: It is not, or it belongs to another key, or names files outside its folder.
    """
    try:
        document = json.loads(raw)
        manifest: dict[str, Any] = document["manifest"]
        as_written = canonical(document) == raw and document["sha256"] == _sha256(canonical(manifest))
        if not as_written or manifest["schema"] != SCHEMA or manifest["key"] != key:
            raise DamagedEntry("a manifest that is not its own")
        shaped = isinstance(manifest["result"], dict) and isinstance(manifest["seconds"], float | int)
        if not shaped or not all(_is_inside(name) for name in manifest["files"]):
            raise DamagedEntry("a manifest that names what it must not")
        return manifest
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedEntry("a manifest that cannot be read") from error


def file_sha256(path: Path | str) -> str:
    """SHA-256 of a regular file; a link or a device in its place is never followed.

    Raises:
        DamagedEntry: It is not a regular file.
        OSError: It cannot be read.
    """
    with open(_regular(path), "rb", closefd=True) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_regular(path: Path | str) -> bytes:
    """The content of a regular file no larger than a manifest; a link or a device in its place is never followed.

    Raises:
        DamagedEntry: It is not a regular file.
        OSError: It cannot be read.
    """
    with open(_regular(path), "rb", closefd=True) as file:
        return file.read(LARGEST_MANIFEST + 1)


def _manifest_bytes(entry: Path) -> bytes:
    try:
        return read_regular(entry / MANIFEST)
    except FileNotFoundError as error:
        os.lstat(entry)  # somebody took the whole entry away: that is no damage
        raise DamagedEntry("no manifest") from error


def _sums(entry: Path, expected: Mapping[str, str] | None = None) -> Iterator[tuple[str, str]]:
    """Path inside ``entry`` and SHA-256 of every file but the manifest; unexpected ones are not read."""
    for path, name in _walk(entry):
        if name == MANIFEST:
            continue
        if expected is not None and name not in expected:
            raise DamagedEntry("a file that its manifest does not list")
        try:
            yield name, file_sha256(path)
        except FileNotFoundError as error:
            os.lstat(entry)
            raise DamagedEntry("a file that went away") from error


def _walk(folder: Path | str) -> Iterator[tuple[str, str]]:
    """Path, and path inside ``folder``, of everything in it that is no folder; folders without files do not count."""
    waiting = [(str(folder), "")]
    while waiting:
        place, inside = waiting.pop()
        with os.scandir(place) as found:
            for item in found:
                if item.is_dir(follow_symlinks=False):
                    waiting.append((item.path, f"{inside}{item.name}/"))
                else:
                    yield item.path, f"{inside}{item.name}"


def _regular(path: Path | str) -> int:
    """A descriptor of a regular file; a link is not followed, and a pipe is not waited for."""
    kind = os.lstat(path).st_mode
    if not stat.S_ISREG(kind):
        raise DamagedEntry(f"{os.path.basename(path)}, which is no regular file")
    return os.open(path, _REGULAR_ONLY)


def _is_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return len(parts) > 1 and parts[0] == FILES and ".." not in parts and "\0" not in name


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def sync(path: str | Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
