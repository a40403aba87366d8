"""What must hold of an exported folder before anything in it is loaded."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runners.backends import find_backend
from spaces.errors import RequestError

SCHEMA_VERSION = 1
DOCUMENT = "frontrunner.json"


class _Part(BaseModel):
    """What is read of one part of a document, all numbers finite; other keys may stand beside it."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False, strict=True)


class _Stamp(_Part):
    sha256: str
    bytes: int


class _Runtime(_Part):
    name: str


class _Document(_Part):
    files: dict[str, _Stamp]
    runtime: _Runtime


_Threads = Annotated[int, Field(ge=1)]


class _TimedRuntime(_Runtime):
    threads: _Threads


class _Origin(_Part):
    workload: str | dict[str, Any]


_Duration = Annotated[float, Field(ge=1e-9, le=1e9)]


class _BaselineMinimum(_Part):
    relative: _Duration
    milliseconds: _Duration
    seconds: _Duration


class _Measured(_Part):
    device: str
    baseline_minima: dict[str, _BaselineMinimum] = Field(default_factory=dict)
    baseline_threads: _Threads
    seed: Annotated[int, Field(ge=0, lt=2**32)]


class _Claims(_Part):
    accuracy: float
    accuracy_test: float | None = None
    speedup: Annotated[float, Field(gt=0)]
    speedup_ci95: Annotated[list[float], Field(min_length=2, max_length=2)]
    unstable: str = ""


class _Claimed(_Document):
    runtime: _TimedRuntime
    origin: _Origin
    measured: _Measured
    claims: _Claims


def read(folder: Path) -> dict[str, Any]:
    """The document of an exported folder whose files are all as they were written.

    Raises:
        RequestError: There is no such folder, it is of another schema version, or a file is missing, changed,
            or refers to something outside.
    """
    return _read(folder, _Document)


def read_claims(folder: Path) -> dict[str, Any]:
    """As `read`; the document has all that is needed to hold the folder to its claims."""
    return _read(folder, _Claimed)


def _read(folder: Path, needed: type[_Document]) -> dict[str, Any]:
    path = folder / DOCUMENT
    try:
        if not path.is_file():
            raise RequestError(f"{folder} holds no {DOCUMENT}; give a folder that `frontrunner export` wrote")
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _require_version(path, document["schema_version"])
        checked = needed.model_validate(document)
        find_backend(checked.runtime.name)
        for name, stamp in checked.files.items():
            _require_unchanged(folder, name, (stamp.sha256, stamp.bytes))
        for name in checked.files:
            if name.endswith(".onnx"):
                _require_contained(folder / name, checked.files)
    except RequestError:
        raise
    except Exception as error:  # whatever stands in a file that anybody may have written
        raise RequestError(f"{path} is damaged ({_in_one_line(error)}); export again") from error
    return document


def _require_version(path: Path, version: object) -> None:
    if version != SCHEMA_VERSION:
        raise RequestError(
            f"{path} has schema version {version!r}, and this program reads {SCHEMA_VERSION}; "
            "use the version of Frontrunner that wrote it, or export again"
        )


def _in_one_line(error: Exception) -> str:
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return " ".join(said.split())


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
