"""How a network with other layers than the workload's is made again: the changes of techniques, in their order.

A network travels as the values of its tensors and the sizes of its layers, see `runners.lowering.weights`. That is
enough for what only cuts layers. A technique that takes layers out or puts others in records what it did; its
`Technique.rebuild` does so again on the workload's own network, before the sizes and values are set.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from runners.machine.telemetry import disable_telemetry
from spaces.network_changes.parametrisations import remove_parametrisations
from spaces.space_document import find_technique

Recipe = Sequence[Mapping[str, Any]]
"""The changes in their order: ``{"technique": name, "record": what it wrote down}``, in plain JSON types."""
_ATTRIBUTE = "_recipe"


def recipe_of(network: nn.Module) -> Recipe:
    """The changes by which ``network`` was made; empty where it has the layers of the workload's own network."""
    return tuple(getattr(network, _ATTRIBUTE, ()))


def set_recipe(network: nn.Module, recipe: Recipe) -> None:
    """Let ``network`` carry ``recipe``, so that it is written with it."""
    setattr(network, _ATTRIBUTE, tuple(recipe))


def as_exported(network: nn.Module) -> nn.Module:
    """``network`` in the form in which it is written as ONNX; it may be changed in place."""
    for change in recipe_of(network):
        network = find_technique(change["technique"]).exported(network)
    return network


def rebuilt(network: nn.Module, recipe: Recipe) -> nn.Module:
    """The workload's own ``network`` with the layers that ``recipe`` puts in; it may be changed in place."""
    if recipe:
        disable_telemetry()  # a technique may use a library that would send something
    for change in recipe:
        remove_parametrisations(network)  # as it was when the technique was applied
        network = find_technique(change["technique"]).rebuild(network, change["record"])
    set_recipe(network, recipe)
    return network
