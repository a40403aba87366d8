"""The installed version of every library on which results depend."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = ("torch", "torchvision", "torch-pruning", "numpy", "onnx", "onnxruntime", "openvino", "nncf", "onnxscript")


@cache
def library_versions() -> dict[str, str]:
    """The version of each of `LIBRARIES` that is installed, by its name."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
