"""The files below a URL, of any kind that fsspec knows; what fails is tried again, and then one error says so."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from fsspec.core import url_to_fs
from fsspec.registry import known_implementations

from runners.store.eviction import FileInfo
from spaces.credentials import without_credentials
from spaces.errors import RequestError, WorkFailed, in_one_line

PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""How long to wait before each further try of what failed."""

_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")

T = TypeVar("T")


class Unreachable(WorkFailed):
    """The file system did not do as asked, also after some patience; the message says what it answered."""


def is_url(location: str) -> bool:
    """Whether a location is a URL rather than a folder."""
    return "://" in location


class RemoteFiles:
    """Files by their paths relative to ``url``, with ``/`` between the parts; every operation is tried several times.

    Args:
        url: Such as ``s3://bucket/folder``; credentials come from where its kind usually takes them.

    Raises:
        RequestError: fsspec does not know such URLs, or a package that they need is missing.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            # Without a cache of listings, what another machine wrote is seen at once.
            self._files, root = url_to_fs(self.url, use_listings_cache=False)
        except ImportError as error:
            raise RequestError(_what_to_install(url, error)) from error
        except Exception as error:  # each kind of URL has errors of its own
            raise RequestError(f"--stage-store {without_credentials(url)}: {in_one_line(error)}") from error
        self._root = root.rstrip("/")

    def read(self, path: str) -> bytes | None:
        """The content of a file, or None where there is no such file."""
        try:
            found: bytes = self._try(lambda: self._files.cat_file(self._at(path)))
            return found
        except FileNotFoundError:
            return None

    def write(self, path: str, content: bytes, pauses: Iterable[float] | None = None) -> None:
        """Write a small file, over one that is there."""
        self._try(lambda: self._in_folder(path, lambda at: self._files.pipe_file(at, content)), pauses)

    def upload(self, file: Path, path: str) -> None:
        """Copy a local file there."""
        self._try(lambda: self._in_folder(path, lambda at: self._files.put_file(str(file), at)))

    def download(self, path: str, file: Path) -> None:
        """Copy a file from there.

        Raises:
            FileNotFoundError: There is no such file.
        """
        file.parent.mkdir(parents=True, exist_ok=True)
        self._try(lambda: self._files.get_file(self._at(path), str(file)))

    def remove(self, path: str) -> None:
        """Remove a file, or a folder with all that is in it; nothing to do where there is none."""
        with suppress(FileNotFoundError):
            self._try(lambda: self._files.rm(self._at(path), recursive=True))

    def find(self, path: str) -> dict[str, FileInfo]:
        """Size and time of change, by the clock of the file system, of every file below a folder by its path there."""
        start = self._at(path)
        try:
            found = self._try(lambda: self._files.find(start, detail=True))
        except FileNotFoundError:
            return {}
        inside = {name[len(start) :].strip("/"): info for name, info in found.items() if name.startswith(f"{start}/")}
        return {name: FileInfo(int(info.get("size") or 0), self._time(info)) for name, info in inside.items()}

    def _time(self, info: dict[str, Any]) -> float:
        """When a file was changed, in seconds since 1970; each kind of file system has a name of its own for that."""
        for name in _TIMES:
            given = info.get(name)
            if isinstance(given, str):
                given = datetime.fromisoformat(given)
            if isinstance(given, datetime):
                return given.replace(tzinfo=given.tzinfo or UTC).timestamp()
            if isinstance(given, float | int):
                return float(given)
        found: datetime = self._try(lambda: self._files.modified(info["name"]))
        return found.replace(tzinfo=found.tzinfo or UTC).timestamp()

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _in_folder(self, path: str, operation: Callable[[str], T]) -> T:
        """Do it, after making the folder where the file system has folders and this one is missing.

        Object stores have none; making one there could make the whole bucket of a mistyped address.

        Raises:
            NotADirectoryError: There is no such bucket, or the folder cannot be.
        """
        at = self._at(path)
        try:
            try:
                return operation(at)
            except FileNotFoundError:
                if self._files.async_impl:
                    raise
                self._files.makedirs(at.rpartition("/")[0], exist_ok=True)
                return operation(at)
        except FileNotFoundError as error:
            raise NotADirectoryError(f"there is nothing to write into ({' '.join(str(error).split())})") from error

    def _try(self, operation: Callable[[], T], pauses: Iterable[float] | None = None) -> T:
        """Do it, again after each pause where it fails.

        Raises:
            FileNotFoundError: What is to be read is not there.
            Unreachable: It failed each time, or is not permitted.
        """
        left = [*(PAUSES_S if pauses is None else pauses)]
        while True:
            try:
                return operation()
            except FileNotFoundError:
                raise
            except Exception as error:  # each file system has errors of its own
                if isinstance(error, PermissionError | NotADirectoryError) or not left:
                    shown = without_credentials(self.url)
                    raise Unreachable(f"the stage store {shown} does not answer: {in_one_line(error)}") from error
                time.sleep(left.pop(0))


def _what_to_install(url: str, error: ImportError) -> str:
    scheme = url.partition("://")[0]
    missing = getattr(error.__cause__, "name", None) or error.name
    known = known_implementations.get(scheme, {}).get("class", "").partition(".")[0]
    package = known if known not in ("", "fsspec") else {"smbclient": "smbprotocol"}.get(str(missing), missing)
    return (
        f"--stage-store {without_credentials(url)}: {scheme}:// needs a package that is not installed; run "
        f"`pip install {package}` on every machine that works for the search, or name a folder"
    )
