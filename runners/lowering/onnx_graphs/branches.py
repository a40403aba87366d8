"""The branches of an ONNX file, as early exits have them: each holds the constants that it alone reads.

The exporter leaves all of them in the graph around the branches, and some that nobody reads inside. ONNX Runtime fuses
and lays out a convolution only where its weights lie in its own graph: on the digits network, behind an exit that is
never taken, a call took 1.50 times as long as without exits, and 1.09 times with the weights in the branch (400 calls
in turn, on one thread of a busy machine).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def give_branches_their_constants(path: Path) -> None:
    """Move the constants of the file at ``path``; one without branches stays as it is. Weights beside it stay there."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    if branches_of(model.graph):
        _move_into_branches(model.graph)
        onnx.save(model, path)


def _move_into_branches(graph: Any) -> None:
    for branch in branches_of(graph):
        elsewhere = _read_here(graph).union(*(_read(other) for other in branches_of(graph) if other is not branch))
        own = [each for each in graph.initializer if each.name in _read(branch) - elsewhere]
        branch.initializer.extend(own)
        _keep(branch, _read(branch))
        _keep(graph, {each.name for each in graph.initializer} - {each.name for each in own})
        _move_into_branches(branch)


def _keep(graph: Any, names: set[str]) -> None:
    kept = [each for each in graph.initializer if each.name in names]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def branches_of(graph: Any) -> list[Any]:
    """The graphs that the nodes of ``graph`` hold, without those inside of them."""
    return [each.g for node in graph.node for each in node.attribute if each.HasField("g")]


def with_branches(graph: Any) -> Iterator[Any]:
    """``graph``, and all graphs inside of it."""
    yield graph
    for branch in branches_of(graph):
        yield from with_branches(branch)


def _read(graph: Any) -> set[str]:
    """The names that the nodes of ``graph`` and of its branches read, and those of its outputs."""
    return _read_here(graph).union(*map(_read, branches_of(graph)))


def _read_here(graph: Any) -> set[str]:
    return {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
