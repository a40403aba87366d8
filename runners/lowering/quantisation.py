"""Post-training quantisation to int8 of an ONNX file; ONNX Runtime and OpenVINO both run the result."""

import contextlib
import io
import logging
from collections.abc import Sequence
from pathlib import Path

from runners.inputs import Arrays, network_batch
from runners.machine import telemetry
from runners.runner import StageFailed
from spaces.errors import in_one_line


def quantise_int8(onnx_path: Path, calibration: Sequence[Arrays], output_path: Path) -> None:
    """Write the int8 form of ``onnx_path`` to ``output_path``, with QuantizeLinear / DequantizeLinear nodes.

    Weights get one scale a channel, activations one a tensor, from the ranges seen on the calibration inputs
    (Jacob et al., arXiv 1712.05877).

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
    inputs = [dict(zip(names, map(network_batch, example), strict=True)) for example in calibration]
    try:
        # NNCF draws progress bars on standard output, which belongs to whoever asked for JSON.
        with contextlib.redirect_stdout(io.StringIO()):
            quantised = nncf.quantize(model, nncf.Dataset(inputs), subset_size=len(inputs))
    except Exception as error:
        # Ranges that are not finite or empty are those of these weights.
        raise StageFailed(f"the network cannot be quantised to int8 ({in_one_line(error)})", "weights") from error
    if not {"QuantizeLinear", "DequantizeLinear"} & {node.op_type for node in quantised.graph.node}:
        raise StageFailed("quantisation to int8 found no operation to quantise in this network")
    onnx.save(quantised, output_path)
