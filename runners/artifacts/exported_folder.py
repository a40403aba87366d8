"""The exported folder: written whole or not at all, and checked before anything in it is loaded."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from runners.artifacts.document import DOCUMENT, SCHEMA_VERSION
from runners.artifacts.integrity import digest_of, read_document
from runners.artifacts.model_card import model_card
from runners.artifacts.packed_model import write_packed
from runners.artifacts.predict_program import REQUIREMENTS, predict_source, requirements
from runners.artifacts.sample import Sample
from runners.backend import Backend, Predictor
from runners.backends import find_backend
from runners.inputs import ExampleInputs, shortened
from runners.machine.lease import device_lease
from runners.measuring.opening import Artifact
from runners.processes.owned_folder import owned_folder
from spaces.errors import RequestError, in_one_line

PREPROCESSING = (
    "Inputs are {}prepared exactly as the workload's data prepares them (scaling, normalisation, order of "
    "channels); nothing is prepared inside the model."
)


@dataclass(frozen=True)
class ExportedModel:
    """A lowered model, and what is said of it where it is exported.

    Attributes:
        artifact: What the backend's ``lower`` wrote, with the threads of one call when it was measured, which
            ``predict.py`` takes by default.
        precision: ``fp32``, ``bf16`` or ``int8``.
        build: Makes the workload's untrained network.
        example: One example, and what is known of each input.
        workload: The workload's name.
        configuration: All choices, by parameter name.
        claims: What was measured of it, as `Measurement.to_json` gives it.
        baseline: What was measured of the baseline beside it, in the same form.
        measured: How and on what that was measured; ``device`` is one line that names the machine, and ``doubts`` are
            sentences on why the figures may not be true.
        origin: Where it comes from, such as ``study`` and ``trial``.
        preparation: How an input is made of what a person has, and what the outputs stand for, as far as the data say.
        packed: The packed file from which the artifact is restored (`runners.packing`), where there is one.
        sample: One real example, which ``predict.py`` takes by default.
    """

    artifact: Artifact
    precision: str
    build: Callable[[], Any]
    example: ExampleInputs
    workload: str
    configuration: Mapping[str, Any]
    claims: Mapping[str, Any]
    baseline: Mapping[str, Any]
    measured: Mapping[str, Any]
    origin: Mapping[str, Any] = field(default_factory=dict)
    preparation: str = ""
    packed: Path | None = None
    sample: Sample = field(default_factory=Sample)


def write_exported_folder(
    destination: Path,
    model: ExportedModel,
    *,
    check: Callable[[Path], None] = lambda folder: None,
    waiting: Callable[[], None] | None = None,
) -> Path:
    """Write the exported folder and give its path back; it appears whole, or nothing does.

    The device is shared while the model is written and tried, so this must not be called where a `device_lease` is
    held already.

    Args:
        destination: The folder to make; it must not exist.
        model: What to write.
        check: Called with the finished folder before it gets its name, with no lease held; what it raises undoes
            everything.
        waiting: Called where something else on this machine is measured first.

    Raises:
        RequestError: ``destination`` exists, or cannot be made, or no lease can be taken.
    """
    with _temporary_folder(destination) as temporary:
        with device_lease(exclusive=False, waiting=waiting):
            signature = _write_model(model, temporary)
        if model.packed is not None:
            signature["packed"] = write_packed(model.packed, temporary)
        model.sample.write(temporary)
        _write_document(_document(model, signature), temporary, model.example)
        _flush(temporary)
        read_document(temporary)
        check(temporary)
        _require_absent(destination)
        temporary.rename(destination)
    return destination


def open_exported_folder(folder: Path, *, threads: int, batch: int) -> Predictor:
    """Check an exported folder and load it for calls of ``batch`` inputs on ``threads`` threads.

    Loading a TorchScript or ``.pt2`` file can run code that it holds: open only folders that you trust.

    Raises:
        RequestError: As `read_document`, or its runtime cannot be used here.
    """
    backend = find_backend(read_document(folder).runtime.name)
    reason = backend.unsupported()
    if reason:
        raise RequestError(f"{folder} runs on {backend.name}, which cannot be used here: {reason}")
    try:
        return backend.open(folder, threads=threads, batch=batch)
    except ImportError as error:  # it is installed, and what it needs of the system is not
        why = in_one_line(error)
        raise RequestError(f"{folder} runs on {backend.name}, which cannot be imported here: {why}") from error


def _write_model(model: ExportedModel, folder: Path) -> dict[str, Any]:
    """Write the model's own files and call it; the names, types and shapes of its inputs and its output."""
    backend = find_backend(model.artifact.runtime)
    backend.ship(model.artifact.folder, folder, model.build, model.example)
    predictor, example = backend.open(folder, threads=model.artifact.threads, batch=1), model.example
    sizes: list[int | None] = [*predictor(*example.arrays).shape]
    if example.is_dynamic:
        shorter = predictor(*shortened(example.arrays, example.dynamic)).shape
        sizes = [size if size == other else None for size, other in zip(sizes, shorter, strict=True)]
    inputs = [
        _signature(name, str(array.dtype), shape)
        for name, array, shape in zip(example.names, example.arrays, example.shapes, strict=True)
    ]
    output = {"output": _signature("output", "float32", sizes[1:])}
    return {"inputs": inputs, **output} if len(inputs) > 1 else {"input": inputs[0], **output}


def _signature(name: str, dtype: str, shape: Sequence[int | None]) -> dict[str, Any]:
    return {"name": name, "dtype": dtype, "shape": ["batch", *shape]}


def _write_document(document: dict[str, Any], folder: Path, example: ExampleInputs) -> None:
    """Write the files for people, then the document with the digests of all others."""
    loader = find_backend(document["runtime"]["name"]).loader_source()
    (folder / "README.md").write_text(model_card(document), encoding="utf-8")
    (folder / REQUIREMENTS).write_text(requirements(document), encoding="utf-8")
    (folder / "predict.py").write_text(predict_source(loader, document, example.free_size), encoding="utf-8")
    document["files"] = {file.name: digest_of(file).model_dump() for file in sorted(folder.iterdir())}
    (folder / DOCUMENT).write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _document(model: ExportedModel, signature: Mapping[str, Any]) -> dict[str, Any]:
    """The document as JSON, without the digests of the files."""
    backend, is_float = find_backend(model.artifact.runtime), all(a.dtype == "float32" for a in model.example.arrays)
    return {
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "workload": model.workload,
        "origin": dict(model.origin),
        "configuration": dict(model.configuration),
        "runtime": {
            "name": backend.name,
            "package": backend.packages[0],
            "precision": model.precision,
            "threads": model.artifact.threads,
        },
        "claims": dict(model.claims),
        "baseline": dict(model.baseline),
        "measured": dict(model.measured),
        "versions": _versions(backend),
        **signature,
        **({"classes": list(model.sample.classes)} if model.sample.classes else {}),
        "preprocessing": f"{PREPROCESSING.format('float32, ' if is_float else '')} {model.preparation}".strip(),
    }


@contextmanager
def _temporary_folder(destination: Path) -> Iterator[Path]:
    """An empty folder beside ``destination``, so that one rename brings it into place; if that fails, it is removed.

    Those of exports to the same place that were killed are removed first.
    """
    _require_absent(destination)
    with ExitStack() as stack:
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            temporary = stack.enter_context(owned_folder(destination.parent, f".{destination.name}-"))
            temporary.chmod(0o755)
        except OSError as error:
            raise RequestError(
                f"{destination} cannot be made ({error}); give a place that can be written to"
            ) from error
        try:
            yield temporary
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def _require_absent(destination: Path) -> None:
    if os.path.lexists(destination):
        raise RequestError(f"{destination} exists already; give a new name or remove it first")


def _versions(backend: Backend) -> dict[str, str]:
    names = dict.fromkeys(["frontrunner", "numpy", "torch", *backend.packages])
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _flush(folder: Path) -> None:
    for file in folder.iterdir():
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
