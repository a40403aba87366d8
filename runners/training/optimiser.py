"""The optimiser of a training plan, and its state by the names of the parameters."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from spaces.plans import TrainingPlan

STATE = "optimiser/"
"""Begins the names of the optimiser's tensors in the state of a training."""
STEP = "step"
"""What AdamW calls its number of steps, which stays on the processor."""


RATE = "rate"
"""Under which a group of parameters has its share of the learning rate."""


def make_optimiser(
    network: nn.Module, plan: TrainingPlan, state: Mapping[str, Tensor], rates: Mapping[str, float] | None = None
) -> Optimizer:
    """The optimiser of ``plan`` for the parameters of ``network``, with the ``state`` that `optimiser_state` gave.

    Args:
        network: Gives the parameters.
        plan: Names the optimiser.
        state: Empty at the begin of a training.
        rates: The share of the learning rate of each parameter, by name; 1 for those that it leaves out.
    """
    optimiser = _new(network, plan, rates or {})
    parameters = dict(network.named_parameters())
    for name, tensor in state.items():
        if name.startswith(STATE):
            parameter, _, kind = name.removeprefix(STATE).rpartition("/")
            optimiser.state[parameters[parameter]][kind] = _as_kept(tensor, kind, parameters[parameter])
    return optimiser


def optimiser_state(network: nn.Module, optimiser: Optimizer) -> dict[str, Tensor]:
    """All tensors that ``optimiser`` keeps, such as ``optimiser/conv.weight/momentum_buffer``, where they are."""
    return {
        f"{STATE}{name}/{kind}": tensor
        for name, parameter in network.named_parameters()
        if parameter in optimiser.state
        for kind, tensor in optimiser.state[parameter].items()
        if isinstance(tensor, Tensor)
    }


def _new(network: nn.Module, plan: TrainingPlan, rates: Mapping[str, float]) -> Optimizer:
    groups = _groups(network, plan, rates)
    if plan.optimiser == "adamw":
        return AdamW(groups, lr=plan.learning_rate)
    return SGD(groups, lr=0.1, momentum=0.9, nesterov=True)


def _groups(network: nn.Module, plan: TrainingPlan, rates: Mapping[str, float]) -> list[dict[str, Any]]:
    """The parameters that are decayed alike and learn at one rate; norms and biases are not decayed with AdamW."""
    alike: dict[tuple[bool, float], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in network.named_parameters():
        decayed = plan.optimiser != "adamw" or parameter.dim() > 1
        alike[decayed, rates.get(name, 1.0)].append(parameter)
    return [
        {"params": own, "weight_decay": plan.weight_decay if decayed else 0.0, RATE: rate}
        for (decayed, rate), own in alike.items()
    ]


def _as_kept(tensor: Tensor, kind: str, parameter: Tensor) -> Tensor:
    """A copy of ``tensor`` with the device and the layout of ``parameter``, as the optimiser makes it."""
    return tensor.clone() if kind == STEP else torch.empty_like(parameter).copy_(tensor).detach()
