"""What the nodes of a cluster have for stages, and what a stage may ask for that one of them can give it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from runners.runner import StageTask

ACCELERATOR_TYPE = "accelerator_type:"
"""Begins the name of the resource by which Ray tells the type of a node's accelerators."""


@dataclass(frozen=True)
class NodeSize:
    """Cores and accelerators that stages may use, of a node or of several.

    Attributes:
        cpus: Cores.
        gpus: Accelerators.
        memory_gib: Memory.
        accelerator_type: What Ray calls the accelerators, such as ``A10G``; empty where it knows none.
        labels: The labels of the node.
        name: Its address.
        identity: By which Ray knows it.
    """

    cpus: int
    gpus: int
    memory_gib: float = 0.0
    accelerator_type: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)
    name: str = ""
    identity: str = ""

    def suits(self, asked: StageTask) -> bool:
        """Whether it has the memory and the type of accelerators that are ``asked`` for, of which none can be less."""
        of_type = not asked.accelerator_type or self.accelerator_type == asked.accelerator_type
        return of_type and self.memory_gib >= asked.memory_gib

    def holds(self, asked: StageTask) -> bool:
        """Whether it has as much as is ``asked`` for."""
        return self.suits(asked) and self.cpus >= asked.cpus and self.gpus >= asked.gpus


def size_of(node: Mapping[str, Any]) -> NodeSize:
    """The size of a node as Ray lists it."""
    resources = node["Resources"]
    kinds = [name.removeprefix(ACCELERATOR_TYPE) for name in resources if name.startswith(ACCELERATOR_TYPE)]
    return NodeSize(
        int(resources.get("CPU", 0)),
        int(resources.get("GPU", 0)),
        resources.get("memory", 0.0) / 2**30,
        kinds[0] if kinds else "",
        node.get("Labels", {}),
        node.get("NodeManagerAddress", ""),
        node.get("NodeID", ""),
    )


def at_most(task: StageTask, nodes: Sequence[NodeSize]) -> StageTask:
    """``task`` with no more accelerators, and then no more cores, than one of ``nodes`` that suits it has.

    It stays as it is where none does.
    """
    nodes = [node for node in nodes if node.suits(task)]
    if not nodes:
        return task
    gpus = min(task.gpus, max(node.gpus for node in nodes))
    cpus = min(task.cpus, max(node.cpus for node in nodes if node.gpus >= gpus))
    return replace(task, cpus=max(1, cpus), gpus=gpus)


def is_too_large(task: StageTask, nodes: Sequence[NodeSize]) -> bool:
    """Whether some of ``nodes`` suit ``task``, and none of these has as many cores and accelerators as it asks for."""
    return any(node.suits(task) for node in nodes) and not any(node.holds(task) for node in nodes)


def ray_options(task: StageTask) -> dict[str, Any]:
    """What ``task`` asks for, as the options of a task of Ray."""
    asked: dict[str, Any] = {"num_cpus": task.cpus, "num_gpus": task.gpus}
    if task.memory_gib:
        asked["memory"] = round(task.memory_gib * 2**30)
    if task.accelerator_type:
        asked["accelerator_type"] = task.accelerator_type
    return asked


def total(nodes: Sequence[NodeSize]) -> NodeSize:
    """What ``nodes`` have together."""
    return NodeSize(sum(node.cpus for node in nodes), sum(node.gpus for node in nodes))


def waiting_text(task: StageTask, nodes: Sequence[NodeSize], seconds: float) -> str:
    """What is told of a ``task`` that has waited for so long for one of ``nodes``."""
    return (
        f"{task.stage} has waited for {seconds:.0f} s for {in_words(task)}; Ray has {in_words(total(nodes))}, which "
        "others use"
    )


def in_words(size: NodeSize | StageTask) -> str:
    """``4 CPUs``, ``4 CPUs and 1 GPU`` where there are accelerators, and memory and type where these are asked for."""
    parts = [f"{size.cpus} CPU{'s' * (size.cpus != 1)}"]
    if size.gpus:
        of_type = f" of type {size.accelerator_type}" if size.accelerator_type else ""
        parts.append(f"{size.gpus:g} GPU{'s' * (size.gpus != 1)}{of_type}")
    if isinstance(size, StageTask) and size.memory_gib:
        parts.append(f"{size.memory_gib:g} GiB of memory")
    return " and ".join(parts)
