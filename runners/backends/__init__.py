"""One file each; every file declares one `runners.backend.Backend` as ``BACKEND``."""

import sys

from runners.backend import Backend
from spaces.discovery import walk
from spaces.errors import RequestError


def all_backends() -> dict[str, Backend]:
    """The backends of the folder by name."""
    return walk(sys.modules[__name__], "BACKEND")


def find_backend(name: str) -> Backend:
    """The backend of that name.

    Raises:
        RequestError: There is none.
    """
    found = all_backends()
    if name not in found:
        raise RequestError(f"unknown backend {name!r}; allowed are {', '.join(found)}")
    return found[name]
