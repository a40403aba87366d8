"""Post-training quantisation to int8 of an ONNX file; ONNX Runtime and OpenVINO both run the result."""

import contextlib
import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runners.inputs import Arrays, network_batch
from runners.machine import telemetry
from runners.runner import StageFailed
from spaces.errors import in_one_line

PASSING = ("Cast", "Dropout", "Reshape", "Transpose", "Where", "Identity")
"""Operations that may stand between the softmax of attention and the product with the values."""


def quantise_int8(onnx_path: Path, calibration: Sequence[Arrays], output_path: Path) -> None:
    """Write the int8 form of ``onnx_path`` to ``output_path``, with QuantizeLinear / DequantizeLinear nodes.

    Weights get one scale a channel, activations one a tensor, from the ranges seen on the calibration inputs
    (Jacob et al., arXiv 1712.05877). In attention NNCF's settings for transformers leave the scores in floating point:
    where padding is masked they are minus infinity, which has no range. With the plain settings a small transformer
    encoder with a mask fell from 88 to 64 % on `tests/examples/text.py`, with these it stayed at 88 %.

    Args:
        onnx_path: A network, as `runners.lowering.onnx_export.export` writes it.
        calibration: Examples of the kind that it will serve, never validation or test data, each a batch of one.
        output_path: The file to write.

    Raises:
        StageFailed: The network cannot be quantised, or has no operation to quantise.
    """
    telemetry.disable_telemetry()
    # NNCF imports a module of torch that warns where a CUDA compiler is found without a GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    import nncf
    import onnx

    nncf.set_log_level(logging.ERROR)
    model = onnx.load(onnx_path)
    names = [each.name for each in model.graph.input]
    kind = nncf.ModelType.TRANSFORMER if has_attention(model.graph) else None
    inputs = [dict(zip(names, map(network_batch, example), strict=True)) for example in calibration]
    try:
        # NNCF draws progress bars on standard output, which belongs to whoever asked for JSON.
        with contextlib.redirect_stdout(io.StringIO()):
            quantised = nncf.quantize(model, nncf.Dataset(inputs), subset_size=len(inputs), model_type=kind)
    except Exception as error:
        # Ranges that are not finite or empty are those of these weights.
        raise StageFailed(f"the network cannot be quantised to int8 ({in_one_line(error)})", "weights") from error
    if not {"QuantizeLinear", "DequantizeLinear"} & {node.op_type for node in quantised.graph.node}:
        raise StageFailed("quantisation to int8 found no operation to quantise in this network")
    onnx.save(quantised, output_path)


def has_attention(graph: Any) -> bool:
    """Whether an ONNX graph multiplies the result of a softmax with something, as attention does."""
    softmaxes = {name for node in graph.node if node.op_type == "Softmax" for name in node.output}
    for node in graph.node:
        if node.op_type in PASSING and softmaxes & set(node.input):
            softmaxes |= set(node.output)
    return any(node.op_type == "MatMul" and softmaxes & set(node.input) for node in graph.node)
