"""What must hold of an exported folder before anything in it is loaded."""

import hashlib
import json
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from runners.artifacts.document import DOCUMENT, SCHEMA_VERSION, ClaimedDocument, Document, FileDigest
from runners.backends import find_backend
from spaces.errors import RequestError, in_one_line

ARRAYS = (".npy", ".npz")
"""Suffixes of what ``predict.py`` reads and writes, which may lie in the folder."""

LARGEST_DOCUMENT = 16 * 2**20

AnyDocument = TypeVar("AnyDocument", bound=Document)


def read_document(folder: Path) -> Document:
    """The document of an exported folder whose files are all as they were written.

    Raises:
        RequestError: There is no such folder, it is of another schema version, or a file is missing, changed, not
            listed, or refers to something outside.
    """
    return _read(folder, Document)


def read_claims(folder: Path) -> ClaimedDocument:
    """As `read_document`; the document has all that is needed to hold the folder to its claims."""
    return _read(folder, ClaimedDocument)


def digest_of(file: Path) -> FileDigest:
    """SHA-256 and size in bytes of a file."""
    with file.open("rb") as stream:
        return FileDigest(sha256=hashlib.file_digest(stream, "sha256").hexdigest(), bytes=file.stat().st_size)


def _read(folder: Path, kind: type[AnyDocument]) -> AnyDocument:
    path = folder / DOCUMENT
    try:
        if not path.is_file():
            raise RequestError(f"{folder} holds no {DOCUMENT}; give a folder that `frontrunner export` wrote")
        if path.stat().st_size > LARGEST_DOCUMENT:
            raise RequestError(f"{path} is larger than {LARGEST_DOCUMENT // 2**20} MiB; export again")
        content = json.loads(path.read_text(encoding="utf-8"))
        _require_version(path, content["schema_version"])
        document = kind.model_validate(content)
        _require_backend(path, document.runtime.name)
        for name, digest in document.files.items():
            _require_unchanged(folder, name, digest)
        _require_listed(folder, document.files)
        for name in document.files:
            if name.endswith(".onnx"):
                _require_contained(folder / name, document.files)
    except RequestError:
        raise
    except OSError as error:
        raise RequestError(f"{path} cannot be read ({error.strerror}); give another folder, or export again") from error
    except Exception as error:  # whatever stands in a file that anybody may have written
        raise RequestError(f"{path} is damaged ({_reason(error)}); export again") from error
    return document


def _require_version(path: Path, version: object) -> None:
    if version != SCHEMA_VERSION:
        raise RequestError(
            f"{path} has schema version {version!r}, and this program reads {SCHEMA_VERSION}; "
            "use the version of Frontrunner that wrote it, or export again"
        )


def _require_backend(path: Path, name: str) -> None:
    try:
        find_backend(name)
    except RequestError as error:
        raise RequestError(f"{path}: {error}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return in_one_line(error)


def _require_unchanged(folder: Path, name: str, digest: FileDigest) -> None:
    file = folder / name
    if Path(name).name != name or file.is_symlink():
        raise RequestError(f"{folder / DOCUMENT} names {name!r}, which lies outside the folder; do not use this folder")
    if not file.is_file():
        raise RequestError(f"{file} is missing; export again")
    found = digest_of(file)
    if (found.sha256, found.bytes) != (digest.sha256, digest.bytes):
        raise RequestError(f"{file} was changed after it was written; export again, or restore the file")


def _require_listed(folder: Path, files: Container[str]) -> None:
    """A file without a hash could be anything, and a runtime could open it; folders and arrays no runtime opens."""
    for path in sorted(folder.iterdir()):
        if path.name not in files and path.name != DOCUMENT and path.suffix not in ARRAYS and not path.is_dir():
            raise RequestError(
                f"{path} is not among the files that {folder / DOCUMENT} lists; move it away, or export again"
            )


def _require_contained(model: Path, files: Container[str]) -> None:
    """ONNX may keep weights in other files: each must be one of the folder's own."""
    import onnx

    proto = onnx.load(model, load_external_data=False)
    for graph in (proto.graph, *proto.functions):
        for tensor in _tensors(graph):
            for entry in tensor.external_data:
                if entry.key == "location" and entry.value not in files:
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
