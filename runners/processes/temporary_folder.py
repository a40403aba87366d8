"""The folder of temporary files, and one whose path is short enough for sockets."""

import os
import sys
import tempfile
from pathlib import Path

from spaces.errors import RequestError

VARIABLES = ("TMPDIR", "RAY_TMPDIR")
"""The environment variables that name the folder, for every program and for Ray."""

LONGEST_SOCKET_PATH = 103 if sys.platform == "darwin" else 107
"""Bytes in the path of a socket, at most: the size of ``sun_path`` in the system's ``sys/un.h``, less the last zero."""

SHORT = Path("/tmp")


def require_temporary_folder() -> None:
    """Raise `RequestError` where `VARIABLES` name a folder that cannot be written, or where there is none at all.

    Python takes another folder then without a word, and Ray raises an error that does not name the variable.
    """
    for name in VARIABLES:
        folder = os.environ.get(name)
        if folder and (reason := _unwritable(Path(folder))):
            raise RequestError(f"{name}={folder}: cannot be written ({reason}); make that folder, or name another")
    try:
        tempfile.gettempdir()
    except OSError as error:
        raise RequestError(
            f"there is no folder for temporary files ({error.strerror}); name one with TMPDIR"
        ) from error


def folder_for_sockets(longest: str, variable: str = "TMPDIR") -> Path:
    """The folder of temporary files, or `SHORT` where the path of a socket in it would be too long.

    Args:
        longest: The longest path of a socket, relative to the folder.
        variable: Where this environment variable is set, it names the folder.

    Raises:
        RequestError: There is none, or none that is short enough; only ``TMPDIR`` is given up for a shorter one.
    """
    require_temporary_folder()
    folder = Path(os.environ.get(variable) or tempfile.gettempdir())
    room = LONGEST_SOCKET_PATH - len(f"/{longest}")
    if len(os.fsencode(folder.absolute())) <= room:
        return folder
    if (variable != "TMPDIR" and variable in os.environ) or _unwritable(SHORT):
        raise RequestError(
            f"{variable}={folder}: is too long for sockets; give the path of a folder with at most {room} characters"
        )
    return SHORT


def _unwritable(folder: Path) -> str | None:
    """Why no file can be written into ``folder``, or None."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return error.strerror or str(error)
    return None
