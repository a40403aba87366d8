"""From how a person names a stage store, a folder or a URL, to the store."""

from pathlib import Path

from runners.store.remote_store import RemoteStore, is_url
from runners.store.stage_store import StageStore

Store = StageStore | RemoteStore


def open_store(location: str | Path) -> Store:
    """The store at ``location``: a folder, which is made, or any URL that fsspec knows.

    Raises:
        RequestError: It cannot be reached or written, or a package that its kind of URL needs is missing.
    """
    if isinstance(location, str) and is_url(location):
        return RemoteStore(location)
    return StageStore(Path(location).expanduser().absolute())
