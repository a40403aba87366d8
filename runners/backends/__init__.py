"""One file each; every file declares one `runners.backend.Backend` as ``BACKEND``."""

import pkgutil
import sys
from typing import TYPE_CHECKING

from spaces.discovery import walk
from spaces.errors import RequestError

if TYPE_CHECKING:
    from runners.backend import Backend


def all_backends() -> "dict[str, Backend]":
    """The backends of the folder by name."""
    return walk(sys.modules[__name__], "BACKEND")


def backend_names() -> tuple[str, ...]:
    """The same names, as the files are called; none is imported."""
    return tuple(sorted(info.name for info in pkgutil.iter_modules(__path__)))


def find_backend(name: str) -> "Backend":
    """The backend of that name.

    Raises:
        RequestError: There is none.
    """
    found = all_backends()
    if name not in found:
        raise RequestError(f"unknown backend {name!r}; allowed are {', '.join(found)}")
    return found[name]
