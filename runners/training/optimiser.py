"""The optimiser of a training plan, and its state by the names of the parameters."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from spaces.plans import TrainingPlan

STATE = "optimiser/"
"""Begins the names of the optimiser's tensors in the state of a training."""
STEP = "step"
"""What AdamW calls its number of steps, which stays on the processor."""


def make_optimiser(network: nn.Module, plan: TrainingPlan, state: Mapping[str, Tensor]) -> Optimizer:
    """The optimiser of ``plan`` for the parameters of ``network``, with the ``state`` that `optimiser_state` gave."""
    optimiser = _new(network, plan)
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


def _new(network: nn.Module, plan: TrainingPlan) -> Optimizer:
    if plan.optimiser == "adamw":
        return AdamW([*_decayed_or_not(network, plan.weight_decay)], lr=plan.learning_rate)
    return SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=plan.weight_decay)


def _decayed_or_not(network: nn.Module, weight_decay: float) -> Iterator[dict[str, object]]:
    """Weights of two dimensions or more; and norms and biases, which are not decayed, as is usual with AdamW."""
    parameters = [*network.parameters()]
    for decay, own in (
        (weight_decay, [p for p in parameters if p.dim() > 1]),
        (0.0, [p for p in parameters if p.dim() <= 1]),
    ):
        if own:
            yield {"params": own, "weight_decay": decay}


def _as_kept(tensor: Tensor, kind: str, parameter: Tensor) -> Tensor:
    """A copy of ``tensor`` with the device and the layout of ``parameter``, as the optimiser makes it."""
    return tensor.clone() if kind == STEP else torch.empty_like(parameter).copy_(tensor).detach()
