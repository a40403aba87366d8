"""The installed version of every library on which results depend."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = (
    "torch",
    "torchvision",
    "torch-pruning",
    "timm",
    "numpy",
    "onnx",
    "onnxruntime",
    "openvino",
    "nncf",
    "onnxscript",
    "onnxslim",
    "constriction",
    "scikit-learn",
)


@cache
def library_versions(*others: str) -> dict[str, str]:
    """The version of each of `LIBRARIES`, and of ``others``, that is installed, by its name."""
    found = {}
    for library in (*LIBRARIES, *others):
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
