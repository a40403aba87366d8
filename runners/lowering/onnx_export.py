"""A network as an ONNX file with a free batch dimension, the names of its inputs, and an output ``output``."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from runners.inputs import ExampleInputs
from runners.lowering import onnx_files
from runners.lowering.free_sizes import free_sizes, two_rows, written_out
from runners.lowering.onnx_files import weights_file
from runners.lowering.onnx_graphs.branches import give_branches_their_constants
from runners.runner import StageFailed

NOISY_LOGGERS = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")


def export(module: torch.nn.Module, example: ExampleInputs, path: Path) -> str:
    """Write ``module`` to ``path``, with weights of 2 GiB or more in the `onnx_files.weights_file` beside it.

    Args:
        module: A network in eval mode, fp32.
        example: One example, with the names of the inputs and what is dynamic in them.
        path: The file to write.

    Returns:
        Why the older exporter had to be used, in one line, or an empty string where the current one did it.

    Raises:
        StageFailed: Neither exporter can write this network, a size that is to be free cannot be, or the network does
            not use an input. The older exporter is not tried on weights that need a file of their own.
    """
    if any(isinstance(layer, torch.jit.ScriptModule) for layer in module.modules()):
        raise StageFailed("a TorchScript program cannot be written as ONNX; a program of torch.export (.pt2) can")
    weights = sum(tensor.numel() * tensor.element_size() for tensor in (*module.parameters(), *module.buffers()))
    apart, free = weights > onnx_files.LARGEST_BYTES, free_sizes(module, example)
    reason = _attempt(module, example, path, dynamo=True, dynamic_shapes=free, external_data=apart, verbose=False)
    if reason and apart:
        raise StageFailed(f"the network, of {weights / 2**30:.1f} GiB, cannot be written as ONNX: {reason}")
    if reason:
        axes = {
            name: {0: "batch"} if place is None else {0: "batch", place: "size"}
            for name, place in zip(example.names, example.dynamic, strict=True)
        }
        second = _attempt(module, example, path, dynamo=False, dynamic_axes={**axes, "output": {0: "batch"}})
        if second:
            raise StageFailed(f"the network cannot be written as ONNX: {reason}; and the older exporter: {second}")
    return reason


def is_quantised(path: Path) -> bool:
    """Whether the file rounds to whole numbers."""
    import onnx

    return any(node.op_type == "QuantizeLinear" for node in onnx.load(path, load_external_data=False).graph.node)


def round_weights(path: Path) -> None:
    """Store what the file rounds whenever it is called, and is the same each time, as whole numbers: int8 weights."""
    import onnx
    from onnxscript import optimizer

    model = onnx.load(path)
    limit = sum(initializer.ByteSize() for initializer in model.graph.initializer)
    optimizer.fold_constants(
        model,
        input_size_limit=limit,
        output_size_limit=limit,
        should_fold=lambda node: True if node.op_type == "QuantizeLinear" else None,
    )
    optimizer.remove_unused_nodes(model)
    onnx.save(model, path)
    weights_file(path).unlink(missing_ok=True)  # they were read, and are in the file itself now


def _attempt(module: torch.nn.Module, example: ExampleInputs, path: Path, **options: Any) -> str:
    """Why the exporter with ``options`` cannot write this network, or an empty string where it has written it."""
    try:
        names: dict[str, Any] = {"input_names": list(example.names), "output_names": ["output"]}
        with _quiet(), written_out(), torch.no_grad():
            torch.onnx.export(module, two_rows(example), path, **names, **options)
        give_branches_their_constants(path)
        return _problem(path, example)
    except Exception as error:
        return _why(error)


def _why(error: BaseException) -> str:
    """What is behind ``error`` of an exporter, in one line; an operator that ONNX does not have by its name alone."""
    while error.__cause__ is not None:
        error = error.__cause__
    if operator := re.search(r"No ONNX function found for <OpOverload\(op='([\w.]+)'", str(error)):
        return f"it has no function for {operator[1]}"
    # The first line alone: the others are advice to whoever calls the exporter.
    first_line = (str(error).strip() or "no message").splitlines()[0]
    return f"{type(error).__name__}: {first_line}"


def _problem(path: Path, example: ExampleInputs) -> str:
    """What is wrong with the inputs of the file, or with a size that should be free; an empty string for nothing."""
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    kept = [value.name for value in graph.input]
    if unused := [name for name in example.names if name not in kept]:
        return f"the outputs do not depend on the input {unused[0]}; leave it out"
    sizes = [value.type.tensor_type.shape.dim[0] for value in (*graph.input, *graph.output)]
    if fixed := [size.dim_value for size in sizes if size.HasField("dim_value")]:
        return f"the batch dimension was fixed at {fixed[0]}"
    for value, place in zip(graph.input, example.dynamic, strict=True):
        if place is not None and value.type.tensor_type.shape.dim[place].HasField("dim_value"):
            return f"dimension {place} of {value.name} was fixed, which is to be dynamic"
    return ""


@contextmanager
def _quiet() -> Iterator[None]:
    # The older one prints a graph that it cannot write, and standard output belongs to whoever asked for JSON.
    torch._C._jit_set_onnx_log_output_stream("stderr")
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
