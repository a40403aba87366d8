"""Quantisation to int8 by ONNX Runtime's own tools, in the form that its kernels run fastest."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from runners.inputs import Arrays, network_batch
from runners.quantisers.attention import has_attention
from runners.quantisers.graph_preparation import prepare
from runners.quantisers.settings import QuantisationSettings

DYNAMIC = "onnxruntime-dynamic"
METHODS = {"min-max": "MinMax", "mean-min-max": "MinMax", "percentile": "Percentile", "entropy": "Entropy"}
"""ONNX Runtime's calibration methods by name; there is none that minimises the error of a histogram."""
WITH_WEIGHTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
AT_ONCE = 8
"""Examples whose activations are held in memory at the same time, for histograms of them."""


def quantise(onnx_path: Path, calibration: Sequence[Arrays], output_path: Path, settings: QuantisationSettings) -> None:
    """Write the int8 form of ``onnx_path``, which is float32, to ``output_path``.

    Without settings activations are unsigned and weights signed with a scale a channel, the one pair for which ONNX
    Runtime has a fused kernel of every convolution on x86: where the signs of two activations differ, or one has a
    scale a channel, the convolution between them stays in floating point, between nodes that convert. In attention only
    products with weights are quantised, since masked scores have no range.
    """
    import onnx

    with TemporaryDirectory() as folder, quiet():
        graph = onnx.load(onnx_path).graph
        attends = has_attention(graph)
        source = prepared(onnx_path, Path(folder), settings)
        if settings.quantiser == DYNAMIC:
            _quantise_dynamic(source, output_path, settings)
        else:
            examples = Examples([each.name for each in graph.input], calibration)
            _quantise_static(source, examples, output_path, settings, attends)


def prepared(onnx_path: Path, folder: Path, settings: QuantisationSettings) -> Path:
    """The file in floating point whose nodes are quantised, with what is made in ``folder``."""
    import onnx

    if settings.preparation == "none":
        return onnx_path
    return prepare(onnx_path, folder, fused=not has_attention(onnx.load(onnx_path).graph))


def _quantise_static(
    source: Path, examples: "Examples", output_path: Path, settings: QuantisationSettings, attends: bool
) -> None:
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantType, quantize_static

    symmetric = settings.activations == "symmetric"
    method = METHODS[settings.range if settings.range != "default" else "min-max"]
    options: dict[str, Any] = {
        "ActivationSymmetric": symmetric,
        "CalibTensorRangeSymmetric": symmetric,  # else that of percentiles is, and half of it is lost behind a ReLU
        "MatMulConstBOnly": attends,
    }
    if settings.kept:
        # Else it rounds the outputs of layers, too, and a layer that is kept would read them.
        kinds = {node.op_type for node in onnx.load(source).graph.node}
        options["OpTypesToExcludeOutputQuantization"] = sorted(kinds)
    if settings.range == "mean-min-max":
        options["CalibMovingAverage"] = True  # with all examples at once it is their mean
    else:
        options["CalibStridedMinMax"] = divisor(len(examples), AT_ONCE)
    quantize_static(
        source,
        output_path,
        examples,
        per_channel=settings.weights != "per-tensor",
        reduce_range=settings.reduced_range,
        activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=getattr(CalibrationMethod, method),
        op_types_to_quantize=list(WITH_WEIGHTS) if attends else None,
        nodes_to_exclude=list(settings.kept),
        extra_options=options,
    )


def _quantise_dynamic(source: Path, output_path: Path, settings: QuantisationSettings) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        source,
        output_path,
        per_channel=settings.weights == "per-channel",
        reduce_range=settings.reduced_range,
        # Its kernel for a convolution takes unsigned weights alone.
        weight_type=QuantType.QUInt8,
        nodes_to_exclude=list(settings.kept),
    )


def divisor(count: int, most: int) -> int:
    """The largest number up to ``most`` that divides ``count``."""
    return next(number for number in range(min(count, most), 0, -1) if count % number == 0)


class Examples:
    """The calibration examples as ONNX Runtime reads them.

    Args:
        names: The names of the inputs.
        calibration: Each a batch of one.
    """

    def __init__(self, names: Sequence[str], calibration: Sequence[Arrays]) -> None:
        self._inputs = [dict(zip(names, map(network_batch, example), strict=True)) for example in calibration]
        self._left = iter(self._inputs)

    def __len__(self) -> int:
        return len(self._inputs)

    def get_next(self) -> dict[str, Any] | None:
        """The next example, or None after the last one."""
        return next(self._left, None)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Go on with these examples."""
        self._left = iter(self._inputs[start_index:end_index])


@contextmanager
def quiet() -> Iterator[None]:
    """Without its advice to prepare the graph, which is done here or was not wanted."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
