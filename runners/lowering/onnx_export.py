"""A network as an ONNX file with a free batch dimension, input ``input`` and output ``output``."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from runners.runner import StageFailed

NOISY_LOGGERS = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")


def export(module: torch.nn.Module, example: NDArray[Any], path: Path) -> str:
    """Write ``module`` to ``path`` as one ONNX file.

    Args:
        module: A network in eval mode, fp32.
        example: Input batch of one, float32 ``(1, *input_shape)``.
        path: The file to write.

    Returns:
        Why the older exporter had to be used, in one line, or an empty string where the current one did it.

    Raises:
        StageFailed: Neither exporter can write this network, or its batch dimension cannot be freed.
    """
    # Two inputs rather than one: a network that treats a batch of one apart would be written for that alone.
    inputs = (torch.from_numpy(np.repeat(example, 2, axis=0)),)
    free_batch = ({0: torch.export.Dim("batch")},)
    reason = _attempt(module, inputs, path, dynamo=True, dynamic_shapes=free_batch, external_data=False, verbose=False)
    if reason:
        free_batches = {"input": {0: "batch"}, "output": {0: "batch"}}
        second = _attempt(module, inputs, path, dynamo=False, dynamic_axes=free_batches)
        if second:
            raise StageFailed(f"the network cannot be written as ONNX: {reason}; and the older exporter: {second}")
    return reason


def _attempt(module: torch.nn.Module, inputs: tuple[torch.Tensor], path: Path, **options: Any) -> str:
    """Why the exporter with ``options`` cannot write this network, or an empty string where it has written it."""
    try:
        with _quiet(), torch.no_grad():
            torch.onnx.export(module, inputs, path, input_names=["input"], output_names=["output"], **options)
        return _fixed_batch(path)
    except Exception as error:
        # The first line alone: the others are advice to whoever calls the exporter.
        first_line = (str(error).strip() or "no message").splitlines()[0]
        return f"{type(error).__name__}: {first_line}"


def _fixed_batch(path: Path) -> str:
    """What is wrong with the batch dimension of the file, or an empty string."""
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    sizes = [value.type.tensor_type.shape.dim[0] for value in (*graph.input, *graph.output)]
    fixed = [size.dim_value for size in sizes if size.HasField("dim_value")]
    return f"the batch dimension was fixed at {fixed[0]}" if fixed else ""


@contextmanager
def _quiet() -> Iterator[None]:
    levels = {name: logging.getLogger(name).level for name in NOISY_LOGGERS}
    for name in levels:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
