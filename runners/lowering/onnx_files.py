"""An ONNX file, and the file beside it that has the weights where they are too many for one (ONNX's external data)."""

import shutil
from pathlib import Path

from runners.runner import StageFailed

LARGEST_BYTES = 2**31 - 2**24
"""An ONNX file is a message of protobuf, of less than 2 GiB; some of it is left for the graph."""


def weights_file(path: Path) -> Path:
    """Where the weights of the ONNX file ``path`` are, if they are not in it."""
    return path.with_name(f"{path.name}.data")


def copy_onnx(source: Path, destination: Path) -> None:
    """Write the ONNX file ``source`` to ``destination``, with the file of its weights if it has one."""
    if not weights_file(source).exists():
        shutil.copyfile(source, destination)
        return
    import onnx

    shutil.copyfile(weights_file(source), weights_file(destination))
    model = onnx.load(source, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = weights_file(destination).name
    onnx.save(model, destination)


def remove_onnx(path: Path) -> None:
    """Remove the ONNX file ``path`` and the file of its weights, where they are."""
    path.unlink(missing_ok=True)
    weights_file(path).unlink(missing_ok=True)


def require_one_file(path: Path, what: str) -> None:
    """Refuse an ONNX file whose weights are in another file, for a tool that handles one message of protobuf.

    Raises:
        StageFailed: Its weights are; the sentence begins with ``what`` the tool does.
    """
    if weights_file(path).exists():
        raise StageFailed(
            f"{what} as one message of protobuf, which holds less than 2 GiB, and this network's weights are more; "
            "choose fp32 or bf16"
        )
