"""From how a person names a stage store, a folder or a URL, to the store."""

from pathlib import Path

from runners.store.folder_store import FolderStore
from runners.store.remote_files import is_url
from runners.store.remote_store import RemoteStore
from runners.store.stage_store import StageStore


def open_store(location: str | Path) -> StageStore:
    """The store at ``location``: a folder, which is made, or any URL that fsspec knows.

    Raises:
        RequestError: It cannot be reached or written, or a package that its kind of URL needs is missing.
    """
    if isinstance(location, str) and is_url(location):
        return RemoteStore(location)
    return FolderStore(Path(location).expanduser().absolute())
