"""What must hold before a search connects to Ray: found in a moment here, and in minutes or never by Ray."""

import re
import socket
from pathlib import Path

from runners.workload_loading.taken_names import hiding_file
from spaces.errors import RequestError, in_one_line

CONNECT_TIMEOUT_S = 5.0


def require_own_packages(folder: Path) -> None:
    """Raise `RequestError` where a file of the current ``folder`` hides a package of ours from Ray's processes.

    Ray puts the current folder first on their import path.
    """
    for name in ("runners", "spaces"):
        if hiding := hiding_file(folder, name):
            raise RequestError(
                f"{hiding} has the name of a package of Frontrunner's, and Ray's processes would import it in place of "
                "that; rename it, or search from another folder"
            )


def require_listener(address: str) -> None:
    """Raise `RequestError` where nothing listens at ``HOST:PORT``: Ray itself would try for minutes."""
    written = re.fullmatch(r"(?:ray://)?\[?([^/\[\]]+)\]?:(\d{1,5})", address)
    if not written:
        return  # such as "auto", which Ray answers at once
    try:
        socket.create_connection((written[1], int(written[2])), timeout=CONNECT_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        raise no_cluster_at(address, error) from error


def no_cluster_at(address: str, error: Exception) -> RequestError:
    """What is told where no cluster of Ray could be reached at ``address``."""
    reason = in_one_line(error)
    return RequestError(f"--address: no Ray cluster at {address} ({reason}); give HOST:PORT of a running one")
