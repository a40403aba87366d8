"""The files of a workload, sent to the nodes of a cluster that do not have them."""

import hashlib
import io
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runners.workload_loading.image_settings import ImageSettings
from spaces.errors import RequestError

LARGEST_BYTES = 50 * 2**20
NOT_SENT = ("__pycache__", "frontrunner-home")
"""Folders that are left out, as hidden files are."""


def pack(workload: Any) -> bytes | None:
    """A ZIP archive of the files that a workload's reference names; None where it names none.

    A Python file is sent with its folder, without hidden files and folders and those named in `NOT_SENT`; the program,
    the weights and the division that a mapping names are sent alone. Of a mapping, what holds more than `LARGEST_BYTES`
    is left out: it may lie on a path that every node reaches.

    Raises:
        RequestError: The folder of a workload's file holds more than `LARGEST_BYTES`.
    """
    files = {entry: file for entry, file in _files_of(workload).items() if file.exists()}
    if not files:
        return None
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for entry, file in files.items():
            members = _with_its_folder(file) if file.suffix == ".py" else [file]
            if sum(path.stat().st_size for path in members) <= LARGEST_BYTES:
                for path in members:
                    packed.write(path, entry / path.relative_to(file.parent))
            elif isinstance(workload, str):
                raise RequestError(
                    f"--workload {file}: its folder holds more than {LARGEST_BYTES // 2**20} MiB, too much to send to "
                    "a cluster; put the data elsewhere, on a path that every node reaches"
                )
    return archive.getvalue()


def unpack(workload: Any, packed: bytes | None) -> Any:
    """The reference to use on this node: the same where its files exist here, else to copies made from ``packed``.

    Raises:
        RequestError: A file is neither here nor in ``packed``.
    """
    missing = {entry: file for entry, file in _files_of(workload).items() if not file.exists()}
    if packed is None or not missing:
        return workload
    folder = _unpacked(packed)
    for entry, file in missing.items():
        copy = folder / entry / file.name
        if not copy.exists():
            raise RequestError(
                f"{file} is not on a node of the cluster and too large to send (more than {LARGEST_BYTES // 2**20} "
                "MiB); put it on a path that every node reaches"
            )
        workload = _moved(workload, str(file), str(copy))
    return workload


def _unpacked(packed: bytes) -> Path:
    folder = Path(tempfile.gettempdir()) / f"frontrunner-{os.getuid()}-{hashlib.sha256(packed).hexdigest()[:32]}"
    if folder.exists():
        return folder
    fresh = Path(tempfile.mkdtemp(prefix="frontrunner-"))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(fresh)
    try:
        return fresh.rename(folder)
    except OSError:  # another task of this node was first, with the same content
        return fresh


def _files_of(workload: Any) -> dict[Path, Path]:
    """The files that the reference names, each by the folder of the archive that it is put into."""
    if isinstance(workload, str):
        place = workload if workload.endswith(".py") else workload.rpartition(":")[0]
        return {Path(): Path(place)} if place.endswith(".py") else {}
    data = workload.get("data", {})
    settings = ImageSettings(workload["model"], "", data.get("split", 0), workload.get("weights"))
    own_code = Path(settings.family) if settings.family.endswith(".py") else None
    division = settings.division if isinstance(settings.division, Path) else None
    named = {"model": settings.program or own_code, "weights": settings.own_weights, "split": division}
    return {Path(entry): file for entry, file in named.items() if file is not None}


def _moved(workload: Any, file: str, copy: str) -> Any:
    """``workload`` with the path of ``copy`` in place of that of ``file``, wherever it stands in it."""
    if isinstance(workload, Mapping):
        return {key: _moved(value, file, copy) for key, value in workload.items()}
    names_it = isinstance(workload, str) and (workload == file or workload.startswith(f"{file}:"))
    return workload.replace(file, copy, 1) if names_it else workload


def _with_its_folder(file: Path) -> list[Path]:
    return [path for path in sorted(file.parent.rglob("*")) if path.is_file() and _is_sent(path, file.parent)]


def _is_sent(path: Path, root: Path) -> bool:
    parts = path.relative_to(root).parts
    return not any(part.startswith(".") or part in NOT_SENT for part in parts)
