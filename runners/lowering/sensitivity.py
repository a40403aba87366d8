"""Which layers of a network cost most when they are quantised, each alone, as measured on calibration examples."""

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.inputs import Arrays, network_batch
from runners.lowering.onnx_session import session_options
from runners.processes.progress import report_progress

LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU")
"""Operations that hold nearly all the work of a network; what is rounded between two goes with the second."""
CALLS, MOST, LEAST = 2048, 32, 4
"""About so many calls of the network for all layers together, with so many examples for each at most and at least."""
QUANTISERS = ("QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True)
class Sensitivity:
    """What quantising one layer alone costs.

    Attributes:
        layer: Name of its node in the ONNX graph.
        cost: Sum of the squared differences of the outputs, as a share of the sum of the squared outputs.
    """

    layer: str
    cost: float


def rank_layers(plain: Path, quantised: Path, examples: Sequence[Arrays]) -> list[Sensitivity]:
    """The layers that are quantised, the most sensitive first.

    Each is measured in the network in floating point in which this layer alone is as in the quantised one: the ranges
    are found once for all. So the cost grows with the layers alone: a session and a few calls for each, see `CALLS`.

    Args:
        plain: The ONNX file in floating point from which ``quantised`` was made, with the same names of nodes.
        quantised: The file with QuantizeLinear / DequantizeLinear nodes.
        examples: Calibration examples, each a batch of one.
    """
    import onnx

    whole, rounded = onnx.load(plain), onnx.load(quantised)
    layers = quantised_layers(whole, rounded)
    some = examples[: max(LEAST, min(MOST, CALLS // max(1, len(layers))))]
    expected = _outputs(whole, some)
    costs = []
    for layer in layers:
        costs.append(Sensitivity(layer, _cost(_outputs(quantised_alone(whole, rounded, layer), some), expected)))
        report_progress()
    return sorted(costs, key=lambda each: -each.cost)


def most_sensitive(ranked: Sequence[Sensitivity], share: float) -> tuple[str, ...]:
    """The names of the ``share`` of layers that cost most, at least one of them."""
    return tuple(each.layer for each in ranked[: max(1, round(share * len(ranked)))])


def quantised_layers(plain: Any, quantised: Any) -> list[str]:
    """The names of the layers of ``quantised`` that read what was rounded, in the order of the graph."""
    names = {node.name for node in plain.graph.node}
    makers, known = _makers(quantised), _values(plain)
    return [
        node.name
        for node in quantised.graph.node
        if node.op_type in LAYERS
        and node.name in names
        and any(above.op_type in QUANTISERS for above in _above(node, makers, known))
    ]


def quantised_alone(plain: Any, quantised: Any, layer: str) -> Any:
    """The model ``plain`` in which ``layer`` alone reads what it reads in ``quantised``: rounded inputs and weights."""
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(plain)
    graph, makers, known = model.graph, _makers(quantised), _values(plain)
    stored = {each.name: each for each in quantised.graph.initializer}
    source = next(node for node in quantised.graph.node if node.name == layer)
    place = next(place for place, node in enumerate(graph.node) if node.name == layer)
    above = list(_above(source, makers, known))
    made = {output for node in above for output in node.output}
    read = {name for node in (source, *above) for name in node.input if name in stored}
    renamed = {name: f"{name} of {layer}" for name in (*made, *read)}
    for name in read:
        graph.initializer.add().CopyFrom(stored[name])
        graph.initializer[-1].name = renamed[name]
    _rename(graph.node[place], source, renamed, known)
    for node in above:
        copied = onnx.NodeProto()
        copied.CopyFrom(node)
        copied.name = f"{node.name} of {layer}"
        _rename(copied, node, renamed, known)
        copied.output[:] = [renamed[name] for name in node.output]
        graph.node.insert(place, copied)  # before what reads it, which was inserted earlier
    return model


def _rename(target: Any, source: Any, renamed: Mapping[str, str], known: Set[str]) -> None:
    own = source.input[:1] if _rounds_a_known_value(source, known) else []
    target.input[:] = [*own, *(renamed.get(name, name) for name in source.input[len(own) :])]


def _above(node: Any, makers: Mapping[str, Any], known: Set[str]) -> Iterator[Any]:
    """The nodes between ``node`` and the layers before it, up to where a value of the plain network is rounded.

    Each comes after its readers.
    """
    found: dict[str, Any] = {}
    waiting = [node]
    while waiting:
        reader = waiting.pop(0)
        names = reader.input[1:] if _rounds_a_known_value(reader, known) else reader.input
        for maker in (makers[name] for name in names if name in makers):
            if maker.op_type not in LAYERS:
                found.pop(maker.output[0], None)
                found[maker.output[0]] = maker
                waiting.append(maker)
    yield from found.values()


def _rounds_a_known_value(node: Any, known: Set[str]) -> bool:
    """Whether it rounds what the plain network computes too; SmoothQuant rounds its product with a scale."""
    return node.op_type == "QuantizeLinear" and node.input[0] in known


def _values(model: Any) -> set[str]:
    """The names of all values of ``model``: inputs, weights, and what is computed."""
    graph = model.graph
    return {each.name for each in (*graph.input, *graph.initializer)} | _makers(model).keys()


def _makers(model: Any) -> dict[str, Any]:
    return {output: node for node in model.graph.node for output in node.output}


def _outputs(model: Any, examples: Sequence[Arrays]) -> list[NDArray[np.float64]]:
    """Of each of ``examples``, without the optimisations that would compute with whole numbers."""
    import onnxruntime

    options, providers = session_options(1, "disabled"), ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
    names = [each.name for each in session.get_inputs()]
    return [
        session.run(None, dict(zip(names, map(network_batch, example), strict=True)))[0].astype(np.float64)
        for example in examples
    ]


def _cost(given: Sequence[NDArray[np.float64]], expected: Sequence[NDArray[np.float64]]) -> float:
    """Infinite differences count as the largest number there is, since JSON has no infinity."""
    wrong = sum(float(np.square(one - other).sum()) for one, other in zip(given, expected, strict=True))
    cost = wrong / max(sum(float(np.square(each).sum()) for each in expected), np.finfo(np.float64).tiny)
    return cost if math.isfinite(cost) else float(np.finfo(np.float64).max)
