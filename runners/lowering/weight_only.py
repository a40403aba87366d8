"""Weights in 8 or 4 bits, multiplied with floating-point inputs: by each runtime's own tool, without any data."""

import contextlib
import io
import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runners.lowering.onnx_graphs.branches import with_branches
from runners.quantisers.of_nncf import load_nncf
from runners.runner import StageFailed
from spaces.errors import in_one_line

BITS: Mapping[str, int] = {"int8_weight_only": 8, "int4_weight_only": 4}
"""The formats by name, each with the bits of a weight."""
GROUP = 32
"""Neighbouring weights that share a scale, in 4 bits and in what ONNX Runtime does."""
LEAST_SHARE = 0.1
"""Of a network's weights the share that must take this number of bits; with less, nothing has changed to speak of."""


def compress_openvino(model: Any, precision: str) -> Any:
    """A copy of ``model`` of OpenVINO, with its weights compressed by NNCF, those in branches too.

    In 8 bits these are the weights of products, convolutions and embeddings. In 4 bits NNCF leaves embeddings,
    convolutions, the last product and what does not divide into groups in 8 bits.

    Raises:
        StageFailed: NNCF cannot do it, or too few weights end up in this number of bits.
    """
    nncf = load_nncf()
    options: dict[str, Any] = {"mode": nncf.CompressWeightsMode.INT8_SYM}
    if BITS[precision] == 4:
        adjusted = nncf.AdvancedCompressionParameters(group_size_fallback_mode=nncf.GroupSizeFallbackMode.ADJUST)
        options = {"mode": nncf.CompressWeightsMode.INT4_SYM, "group_size": GROUP, "advanced_parameters": adjusted}
    # Reading leaves operators of the branches behind in the graph around them, which no clone has, and at which NNCF
    # fails. It compresses one graph, and no branches in it.
    model = model.clone()
    graphs = list(_openvino_graphs(model))
    before = sum(_constants(graphs).values())
    try:
        # NNCF draws progress bars on standard output, which belongs to whoever asked for JSON.
        with contextlib.redirect_stdout(io.StringIO()):
            for graph in graphs:
                nncf.compress_weights(graph, **options)
    except Exception as error:
        raise StageFailed(f"the weights cannot be compressed to {precision} ({in_one_line(error)})") from error
    kinds = ("i4", "u4") if BITS[precision] == 4 else ("i8", "u8")
    done = sum(size for kind, size in _constants(graphs).items() if kind in kinds)
    _require_enough(done / max(1, before), precision, "NNCF keeps convolutions, embeddings and the last product in 8")
    return model


def compress_onnx(source: Path, precision: str, destination: Path) -> None:
    """Write the ONNX file ``source`` to ``destination`` with the weights of products in few bits, for ONNX Runtime.

    Raises:
        StageFailed: ONNX Runtime's tool cannot do it, or too few weights belong to products.
    """
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer, logger
    from onnxruntime.quantization.onnx_model import ONNXModel

    logger.setLevel(logging.ERROR)
    model = ONNXModel(onnx.load(source))
    before = _weights(model.model.graph)
    try:
        # Products with a bias are one node in the file and two for the tool.
        model.replace_gemm_with_matmul()
        model.clean_initializers()
        # At level 4 the inputs of a product are rounded to 8 bits for it. Without that 8 bits took 3 times as long as
        # fp32 in a transformer encoder of width 256 and 17 times in an MLP of width 1024, on one thread with VNNI;
        # with it as long, and a third.
        tool = MatMulNBitsQuantizer(
            model.model, bits=BITS[precision], block_size=GROUP, is_symmetric=True, accuracy_level=4
        )
        tool.process()
        compressed = tool.model.model
    except Exception as error:
        raise StageFailed(f"the weights cannot be compressed to {precision} ({in_one_line(error)})") from error
    share = 1 - _weights(compressed.graph) / max(1, before)
    _require_enough(share, precision, "ONNX Runtime compresses those of matrix products alone, and no convolutions")
    onnx.save(compressed, destination)


def _require_enough(share: float, precision: str, why: str) -> None:
    if share < LEAST_SHARE:
        raise StageFailed(f"only {share:.0%} of the weights of this network can take {BITS[precision]} bits: {why}")


def _openvino_graphs(model: Any) -> Iterator[Any]:
    """The graph of ``model``, and those of the branches in it, as early exits have them."""
    yield model
    for node in model.get_ops():
        if node.get_type_name() == "If":
            for number in (0, 1):
                yield from _openvino_graphs(node.get_function(number))


def _constants(graphs: Iterable[Any]) -> dict[str, int]:
    """How many numbers the constants of ``graphs`` of OpenVINO hold, by their element type."""
    found: dict[str, int] = {}
    for node in (node for graph in graphs for node in graph.get_ops()):
        if node.get_type_name() == "Constant":
            kind = node.get_element_type().get_type_name()
            found[kind] = found.get(kind, 0) + math.prod(node.shape)
    return found


def _weights(graph: Any) -> int:
    """How many floating-point numbers the initialisers of an ONNX graph and of its branches hold."""
    tensors = (each for one in with_branches(graph) for each in one.initializer)
    return sum(math.prod(each.dims) for each in tensors if each.data_type == 1 and len(each.dims) > 1)
