"""On which nodes of a cluster is measured: those with an accelerator of one type, or with one label."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runners.executors.cluster.node_size import NodeSize
from runners.machine.resources import SOFT_TARGETS_STAGE, STAGES_THAT_TRAIN
from spaces.environment import Environment
from spaces.errors import RequestError

ANYWHERE = (*STAGES_THAT_TRAIN, SOFT_TARGETS_STAGE, "transforming", "rewinding", "ranking")
"""Stages whose results are the same whichever kind of node they run on; all others make, time or call an artifact."""
A_LITTLE = 0.001
"""What a stage asks of the resource that says which accelerators a node has: it is there to find the node."""


@dataclass(frozen=True)
class Target:
    """The nodes on which is measured.

    Attributes:
        name: The type of accelerator, as Ray calls it in ``accelerator_type:NAME``, or the key of a label.
        value: The value of that label; None for a type of accelerator.
    """

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return self._resource if self.value is None else f"{self.name}={self.value}"

    @property
    def _resource(self) -> str:
        return f"accelerator_type:{self.name}"

    def has(self, node: NodeSize) -> bool:
        """Whether ``node`` is one of them."""
        return self.name == node.accelerator_type if self.value is None else node.labels.get(self.name) == self.value

    def options(self) -> dict[str, Any]:
        """What a task of Ray asks for that must run there."""
        if self.value is None:
            return {"resources": {self._resource: A_LITTLE}}
        return {"label_selector": {self.name: self.value}}


def read_target(given: str | None, address: str | None) -> Target | None:
    """The target that ``given`` names, such as ``accelerator_type:A10G`` or ``zone=edge``; None where it is None.

    Raises:
        RequestError: It is neither, or there is no ``address`` of a cluster.
    """
    if given is None:
        return None
    if address is None:
        raise RequestError(f"--measure-on: {given!r} names nodes of a cluster; give its --address HOST:PORT too")
    found = re.fullmatch(r"accelerator_type:([\w.-]+)|([\w./-]+)=([\w.-]+)", given.strip())
    if not found:
        raise RequestError(
            f"--measure-on: {given!r} names no nodes; give accelerator_type:NAME, such as accelerator_type:A10G, or a "
            "label of nodes as KEY=VALUE"
        )
    return Target(found[1]) if found[1] else Target(found[2], found[3])


def require_usable(nodes: list[NodeSize], target: Target | None) -> None:
    """Raise `RequestError` where none of ``nodes`` has a core for Ray, or none is one of the target's."""
    require_cpus(nodes)
    require_nodes(target, nodes)


def require_nodes(target: Target | None, nodes: list[NodeSize]) -> None:
    """Raise `RequestError` where none of ``nodes`` is one of the target's: nothing is measured on another kind."""
    if target is None or any(target.has(node) for node in nodes):
        return
    kinds = sorted({node.accelerator_type for node in nodes if node.accelerator_type})
    labels = sorted({f"{key}={value}" for node in nodes for key, value in node.labels.items() if "ray.io" not in key})
    there = ", ".join([*(f"accelerator_type:{kind}" for kind in kinds), *labels]) or "no such type and no label"
    raise RequestError(
        f"--measure-on: no node of the cluster has {target}; its nodes have {there}; name one of these, or start a node"
    )


def require_cpus(nodes: list[NodeSize]) -> None:
    """Raise `RequestError` where Ray may use no core of any node."""
    if not any(node.cpus for node in nodes):
        raise RequestError("--address: no node of the cluster has a CPU for Ray; start one with --num-cpus")


def require_gpus(environment: Environment, nodes: list[NodeSize]) -> None:
    """Raise `RequestError` where the machine that measures has accelerators, and Ray may use none of any node."""
    if environment.accelerators and not any(node.gpus for node in nodes):
        raise RequestError(
            f"--address: the machine that measures has {environment.accelerators} accelerators "
            f"({environment.accelerator}), but no node of the cluster has a GPU for Ray; start its nodes with "
            "--num-gpus"
        )


def options_of(stage: str, target: Target | None) -> Mapping[str, Any]:
    """What a task for ``stage`` asks for so that it runs on the target, if it has to."""
    return target.options() if target is not None and stage not in ANYWHERE else {}


def nodes_for(stage: str, target: Target | None, nodes: list[NodeSize]) -> list[NodeSize]:
    """Those of ``nodes`` on which ``stage`` may run."""
    return [node for node in nodes if target is None or stage in ANYWHERE or target.has(node)]
