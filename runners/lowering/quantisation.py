"""Post-training quantisation to int8 of an ONNX file; ONNX Runtime and OpenVINO both run the result."""

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path

from runners.inputs import Arrays
from runners.lowering.calibration import require_finite
from runners.lowering.onnx_files import require_one_file
from runners.machine import telemetry
from runners.quantisers import of_nncf, of_onnxruntime
from runners.quantisers.settings import QuantisationSettings
from runners.runner import StageFailed
from spaces.errors import in_one_line

INTEGER = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "DynamicQuantizeLSTM"}
"""Operations of which a quantised graph has at least one."""


def quantise_int8(
    onnx_path: Path,
    calibration: Sequence[Arrays],
    output_path: Path,
    settings: QuantisationSettings | None = None,
) -> None:
    """Write the int8 form of ``onnx_path`` to ``output_path`` (Jacob et al., arXiv 1712.05877).

    Args:
        onnx_path: A network, as `runners.lowering.onnx_export.export` writes it.
        calibration: Examples of the kind that it will serve, never validation or test data, each a batch of one.
        output_path: The file to write.
        settings: The quantiser, and how it finds the ranges; by default NNCF, as it is.

    Raises:
        StageFailed: The calibration data are not finite, the network cannot be quantised, its weights are in another
            file, or it has no operation to quantise.
    """
    telemetry.disable_telemetry()
    import onnx

    settings = settings or QuantisationSettings()
    require_finite(calibration)
    require_one_file(onnx_path, "NNCF and ONNX Runtime quantise the graph")
    write = of_nncf.quantise if settings.quantiser == "nncf" else of_onnxruntime.quantise
    try:
        # Both write progress to standard output, which belongs to whoever asked for JSON.
        with contextlib.redirect_stdout(io.StringIO()):
            write(onnx_path, calibration, output_path, settings)
        written = onnx.load(output_path)
    except Exception as error:
        # Ranges that are not finite or empty are those of these weights.
        raise StageFailed(f"the network cannot be quantised to int8 ({in_one_line(error)})", "weights") from error
    if not INTEGER & {node.op_type for node in written.graph.node}:
        if settings.accuracy_control:
            raise StageFailed(
                f"no layer of this network can be quantised to int8 with at most {settings.accuracy_control:.1%} of "
                f"the answers to {len(calibration)} calibration examples changed; allow more as accuracy_control",
                "weights",
            )
        kinds = ", ".join(sorted({node.op_type for node in written.graph.node}))
        raise StageFailed(
            f"quantisation to int8 found no operation to quantise in this network: {settings.quantiser} leaves {kinds} "
            "in floating point"
        )


def plain_graph(onnx_path: Path, folder: Path, settings: QuantisationSettings) -> Path:
    """The file in floating point of which `quantise_int8` quantises the nodes, by the same names.

    Args:
        onnx_path: The network, as it was exported.
        folder: Where a file may be made.
        settings: The quantiser, and how it prepares the graph.
    """
    return onnx_path if settings.quantiser == "nncf" else of_onnxruntime.prepared(onnx_path, folder, settings)
