"""The folder of a workload file, sent to the nodes of a cluster that do not have it."""

import hashlib
import io
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from spaces.errors import RequestError

LARGEST_BYTES = 50 * 2**20
NOT_SENT = ("__pycache__", "frontrunner-home")
"""Folders that are left out, as hidden files are."""


def pack(workload: Any) -> bytes | None:
    """The folder of a workload's file as a ZIP archive; None where the reference names no file.

    Hidden files and folders, and those named in `NOT_SENT`, are left out.

    Raises:
        RequestError: The folder holds more than `LARGEST_BYTES`.
    """
    file = _file_of(workload)
    if file is None or not file.exists():
        return None
    members = [path for path in sorted(file.parent.rglob("*")) if path.is_file() and _is_sent(path, file.parent)]
    if sum(path.stat().st_size for path in members) > LARGEST_BYTES:
        raise RequestError(
            f"--workload {file}: its folder holds more than {LARGEST_BYTES // 2**20} MiB, too much to send to a "
            "cluster; put the data elsewhere, on a path that every node reaches"
        )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in members:
            packed.write(path, path.relative_to(file.parent))
    return archive.getvalue()


def unpack(workload: Any, packed: bytes | None) -> Any:
    """The reference to use on this node: the same where its file exists here, else to a copy made from ``packed``."""
    file = _file_of(workload)
    if file is None or packed is None or file.exists():
        return workload
    folder = Path(tempfile.gettempdir()) / f"frontrunner-{os.getuid()}-{hashlib.sha256(packed).hexdigest()[:32]}"
    if not folder.exists():
        fresh = Path(tempfile.mkdtemp(prefix="frontrunner-"))
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            archive.extractall(fresh)
        try:
            fresh.rename(folder)
        except OSError:  # another task of this node was first, with the same content
            return workload.replace(str(file), str(fresh / file.name), 1)
    return workload.replace(str(file), str(folder / file.name), 1)


def _file_of(workload: Any) -> Path | None:
    if not isinstance(workload, str) or ".py" not in workload:
        return None
    place = workload if workload.endswith(".py") else workload.rpartition(":")[0]
    return Path(place) if place.endswith(".py") else None


def _is_sent(path: Path, root: Path) -> bool:
    parts = path.relative_to(root).parts
    return not any(part.startswith(".") or part in NOT_SENT for part in parts)
