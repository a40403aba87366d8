"""Where a network can be left: behind which of its layers one tensor alone goes on, found by ``torch.fx``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.utils.flop_counter import FlopCounterMode

from spaces.errors import WorkFailed, in_one_line

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
LARGE = 0.5
"""Share of the weights from which on a part that is no container is looked into."""
LATEST = 0.95
"""Share of the operations behind which an exit would save nothing."""


@dataclass(frozen=True)
class Place:
    """A place between two layers.

    Attributes:
        node: Name of what is computed there in the recorded network.
        share: Share of the multiplications of the network that are before it.
        features: Numbers at one place of the tensor that goes on.
        dimension: Its dimension of the features.
    """

    node: str
    share: float
    features: int
    dimension: int


def recorded(network: nn.Module) -> fx.GraphModule:
    """``network`` as a graph of its blocks, which stay what they are: residual blocks, layers of a transformer.

    Containers and what holds more than half of the weights are looked into.

    Raises:
        WorkFailed: Its forward cannot be recorded.
    """
    tracer = _Blocks(network)
    try:
        return fx.GraphModule(network, tracer.trace(network))
    except Exception as error:
        raise WorkFailed(
            f"the forward of this network cannot be recorded by torch.fx, so that it cannot be cut for an exit "
            f"({in_one_line(error, 120)})"
        ) from error


def exit_places(network: nn.Module, example: Sequence[Any], count: int) -> list[Place]:
    """The ``count`` places of ``network`` that divide its operations most evenly, the first one first.

    Args:
        network: In eval mode.
        example: A tensor for each input.
        count: From 1.

    Raises:
        WorkFailed: It has fewer.
    """
    graph = recorded(network)
    run = _Counted(graph)
    with torch.no_grad():
        run.run(*example)
    total = max(1, sum(run.operations.values()))
    places, done = [], 0
    cuts = _cuts(graph)
    for node in graph.graph.nodes:
        done += run.operations.get(node, 0)
        if node in cuts and done < LATEST * total:
            dimension = _features_dimension(graph, node, run.shapes[node])
            places.append(Place(node.name, done / total, run.shapes[node][dimension], dimension))
    if len(places) < count:
        raise WorkFailed(
            f"this network has {len(places)} places for an exit, between blocks where one tensor alone goes on; "
            f"fewer than the {count} that early_exits asks for"
        )
    return _evenly(places, count)


def divided(network: nn.Module, nodes: Sequence[str]) -> list[nn.Module]:
    """The parts of ``network`` before, between and behind ``nodes``, as names of `Place`; each gives one tensor."""
    graph = recorded(network)
    parts: list[nn.Module] = []
    waiting, start = list(graph.graph.nodes), None
    for end in (*nodes, None):
        part = fx.Graph()
        copies: dict[fx.Node, fx.Node] = {}
        if start is not None:
            copies[start] = part.placeholder("hidden")
        while waiting:
            node = waiting.pop(0)
            copies[node] = part.node_copy(node, copies.__getitem__)
            if node.name == end:
                part.output(copies[node])
                start = node
                break
        part.lint()
        parts.append(fx.GraphModule(graph, part))
    return parts


class _Blocks(fx.Tracer):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._large = LARGE * _size(network)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if next(m.children(), None) is None:
            return True
        return not isinstance(m, CONTAINERS) and _size(m) <= self._large


class _Counted(fx.Interpreter):
    """Counts the operations of each node, and keeps the shapes of what they give."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.operations: dict[fx.Node, int] = {}
        self.shapes: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        with FlopCounterMode(display=False) as counter:
            result = super().run_node(n)
        self.operations[n] = counter.get_total_flops()
        if isinstance(result, torch.Tensor):
            self.shapes[n] = tuple(result.shape)
        return result


def _cuts(graph: fx.GraphModule) -> set[fx.Node]:
    """The last node before each layer with weights, from the second on, behind which nothing else is read."""
    found: set[fx.Node] = set()
    nodes = list(graph.graph.nodes)
    order = {node: number for number, node in enumerate(nodes)}
    last: fx.Node | None = None
    read_until, weighs = 0, False
    for number, node in enumerate(nodes):
        if _has_weights(graph, node):
            found |= {last} if last is not None else set()
            last, weighs = None, True
        alone = number >= read_until  # nothing computed before is read behind this node
        if weighs and alone and node.op in ("call_module", "call_function", "call_method"):
            last = node
        read_until = max(read_until, *(order[user] for user in node.users), 0)
    return found


def _has_weights(graph: fx.GraphModule, node: fx.Node) -> bool:
    if node.op != "call_module":
        return False
    return any(weight.dim() > 1 for weight in graph.get_submodule(str(node.target)).parameters())


def _features_dimension(graph: fx.GraphModule, node: fx.Node, shape: tuple[int, ...]) -> int:
    """1 as convolutions have it, or the last one, as layers of a transformer have it."""
    while not _has_weights(graph, node):
        node = node.prev
    block = graph.get_submodule(str(node.target))
    convolves = any(isinstance(layer, nn.Conv2d) for layer in block.modules())
    last = {layer.normalized_shape[-1] for layer in block.modules() if isinstance(layer, nn.LayerNorm)}
    if not convolves:
        last |= {layer.out_features for layer in block.modules() if isinstance(layer, nn.Linear)}
    return -1 if shape[-1] in last and not (convolves and shape[1] == shape[-1]) else 1


def _evenly(places: list[Place], count: int) -> list[Place]:
    """As many of ``places``, in their order, each the nearest to its share that leaves enough for the others."""
    chosen: list[Place] = []
    first = 0
    for number in range(1, count + 1):
        offered = range(first, len(places) - (count - number))
        best = min(offered, key=lambda each: abs(places[each].share - number / (count + 1)))
        chosen.append(places[best])
        first = best + 1
    return chosen


def _size(part: nn.Module) -> int:
    return sum(parameter.numel() for parameter in part.parameters())
