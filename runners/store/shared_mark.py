"""A mark that a search leaves in its stage store, by which another machine sees whether it reaches the same one."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runners.store.local_files import LocalFiles
from runners.store.remote_files import RemoteFiles, is_url
from spaces.credentials import without_credentials
from spaces.errors import RequestError, WorkFailed, in_one_line

FOLDER = "marks"
LEFT = "left-by-the-search"


@contextmanager
def mark_left_in(location: str) -> Iterator[str]:
    """Leave a mark in the store at ``location`` for the block, and give its path there.

    Args:
        location: As `runners.store.location.open_store` takes it.

    Raises:
        RequestError: It cannot be written, or reached.
    """
    files, mark = _files_at(location), f"{FOLDER}/{uuid.uuid4().hex}"
    try:
        files.write(f"{mark}/{LEFT}", b"")
    except (OSError, WorkFailed) as error:
        raise RequestError(f"--stage-store {without_credentials(location)}: {in_one_line(error)}") from error
    try:
        yield mark
    finally:
        with suppress(WorkFailed):
            files.remove(mark)


def why_not_reached(location: str, mark: str) -> str | None:
    """Why this machine cannot read ``mark`` in the store at ``location``, or write beside it; None where it can.

    A folder that is missing here is not made.
    """
    try:
        files = _files_at(location)
        if files.read(f"{mark}/{LEFT}") is None:
            return "what the search wrote there is not there"
        files.write(f"{mark}/{uuid.uuid4().hex}", b"")
    except OSError as error:
        return f"it cannot write there: {error.strerror}"
    except (RequestError, WorkFailed) as error:
        return str(error)
    return None


def _files_at(location: str) -> LocalFiles | RemoteFiles:
    return RemoteFiles(location) if is_url(location) else LocalFiles(Path(location).expanduser().absolute())
