"""What the nodes of a cluster have for stages, and what a stage may ask for that one of them can give it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runners.runner import StageTask


@dataclass(frozen=True)
class NodeSize:
    """Cores and accelerators that stages may use, of a node or of several."""

    cpus: int
    gpus: int


def at_most(task: StageTask, nodes: Sequence[NodeSize]) -> StageTask:
    """``task`` with no more accelerators, and then no more cores, than one of ``nodes`` has."""
    gpus = min(task.gpus, max(node.gpus for node in nodes))
    cpus = min(task.cpus, max(node.cpus for node in nodes if node.gpus >= gpus))
    return replace(task, cpus=max(1, cpus), gpus=gpus)


def total(nodes: Sequence[NodeSize]) -> NodeSize:
    """What ``nodes`` have together."""
    return NodeSize(sum(node.cpus for node in nodes), sum(node.gpus for node in nodes))


def in_words(size: NodeSize | StageTask) -> str:
    """``4 CPUs``, or ``4 CPUs and 1 GPU`` where there are accelerators."""
    gpus = f" and {size.gpus} GPU{'s' * (size.gpus != 1)}" if size.gpus else ""
    return f"{size.cpus} CPU{'s' * (size.cpus != 1)}{gpus}"
