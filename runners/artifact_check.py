"""What must hold of an exported folder before anything in it is loaded."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runners.backend import find_backend
from spaces.errors import RequestError

SCHEMA_VERSION = 1
DOCUMENT = "frontrunner.json"


def read(folder: Path) -> dict[str, Any]:
    """The document of an exported folder whose files are all as they were written.

    Raises:
        RequestError: There is no such folder, it is of another schema version, or a file is missing, changed,
            or refers to something outside.
    """
    path = folder / DOCUMENT
    if not path.is_file():
        raise RequestError(f"{folder} holds no {DOCUMENT}; give a folder that `frontrunner export` wrote")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        version = document["schema_version"]
        if version != SCHEMA_VERSION:
            raise RequestError(
                f"{path} has schema version {version!r}, and this program reads {SCHEMA_VERSION}; "
                "use the version of Frontrunner that wrote it, or export again"
            )
        stamps = {str(name): (str(stamp["sha256"]), int(stamp["bytes"])) for name, stamp in document["files"].items()}
        find_backend(document["runtime"]["name"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(f"{path} is damaged ({type(error).__name__}: {error}); export again") from error
    for name, stamp in stamps.items():
        _require_unchanged(folder, name, stamp)
    for name in stamps:
        if name.endswith(".onnx"):
            _require_contained(folder / name, stamps)
    return dict(document)


def stamp_of(file: Path) -> dict[str, Any]:
    """SHA-256 and size of a file, as the document keeps them."""
    with file.open("rb") as stream:
        return {"sha256": hashlib.file_digest(stream, "sha256").hexdigest(), "bytes": file.stat().st_size}


def _require_unchanged(folder: Path, name: str, stamp: tuple[str, int]) -> None:
    file = folder / name
    if Path(name).name != name or file.is_symlink():
        raise RequestError(f"{folder / DOCUMENT} names {name!r}, which lies outside the folder; do not use this folder")
    if not file.is_file():
        raise RequestError(f"{file} is missing; export again")
    found = stamp_of(file)
    if (found["sha256"], found["bytes"]) != stamp:
        raise RequestError(f"{file} was changed after it was written; export again, or restore the file")


def _require_contained(model: Path, known: Mapping[str, Any]) -> None:
    """ONNX may keep weights in other files: each must be one of the folder's own."""
    import onnx

    proto = onnx.load(model, load_external_data=False)
    for graph in (proto.graph, *proto.functions):
        for tensor in _tensors(graph):
            for entry in tensor.external_data:
                if entry.key == "location" and entry.value not in known:
                    raise RequestError(
                        f"{model} reads weights from {entry.value!r}, which is not one of the folder's files; "
                        "do not use this folder"
                    )


def _tensors(graph: Any) -> Iterator[Any]:
    """Every tensor of an ONNX graph or function: its initializers, and those in nodes and their subgraphs."""
    yield from getattr(graph, "initializer", ())
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)
