"""The optimiser of a training plan, and its state by the names of the parameters."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from runners.training.strategy import Share
from spaces.plans import TrainingPlan

STATE = "optimiser/"
"""Begins the names of the optimiser's tensors in the state of a training."""
STEP = "step"
"""What AdamW calls its number of steps, which stays on the processor."""


RATE = "rate"
"""Under which a group of parameters has its share of the learning rate."""


def make_optimiser(
    share: Share,
    plan: TrainingPlan,
    state: Mapping[str, Tensor],
    rates: Mapping[str, float] | None = None,
    undecayed: Collection[str] = (),
) -> Optimizer:
    """The optimiser of ``plan`` for the parameters of ``share``, with the ``state`` that `optimiser_state` gave.

    Args:
        share: Gives the parameters of this worker.
        plan: Names the optimiser.
        state: Of all parameters; empty at the begin of a training.
        rates: The share of the learning rate of each parameter, by name; 1 for those that it leaves out.
        undecayed: What `without_decay` gave before parameters were divided, which changes their dimensions.
    """
    parameters = share.parameters()
    optimiser = _new(_groups(parameters, plan, rates or {}, undecayed), plan)
    for name, tensor in state.items():
        parameter, _, kind = name.removeprefix(STATE).rpartition("/")
        if name.startswith(STATE) and parameter in parameters:
            # AdamW's number of steps stays as it is, on the processor.
            placed = tensor.clone() if kind == STEP else share.place(parameter, tensor)
            optimiser.state[parameters[parameter]][kind] = placed
    return optimiser


def without_decay(network: nn.Module) -> set[str]:
    """Names of the parameters of ``network`` that AdamW does not decay: norms and biases."""
    return {name for name, parameter in network.named_parameters() if parameter.dim() < 2}


def optimiser_state(share: Share, optimiser: Optimizer) -> dict[str, Tensor]:
    """All tensors that ``optimiser`` keeps, such as ``optimiser/conv.weight/momentum_buffer``, where they are."""
    return {
        f"{STATE}{name}/{kind}": tensor if kind == STEP else share.whole(name, tensor)
        for name, parameter in share.parameters().items()
        if parameter in optimiser.state
        for kind, tensor in optimiser.state[parameter].items()
        if isinstance(tensor, Tensor)
    }


def _new(groups: list[dict[str, Any]], plan: TrainingPlan) -> Optimizer:
    if plan.optimiser == "adamw":
        return AdamW(groups, lr=plan.learning_rate)
    return SGD(groups, lr=0.1, momentum=0.9, nesterov=True)


def _groups(
    parameters: Mapping[str, nn.Parameter], plan: TrainingPlan, rates: Mapping[str, float], undecayed: Collection[str]
) -> list[dict[str, Any]]:
    """The parameters of one type that are decayed alike and learn at one rate."""
    alike: dict[tuple[bool, float, type], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in parameters.items():
        decayed = plan.optimiser != "adamw" or name not in undecayed
        # The optimiser updates a group at once, and shards apart from plain tensors.
        alike[decayed, rates.get(name, 1.0), type(parameter.data)].append(parameter)
    return [
        {"params": own, "weight_decay": plan.weight_decay if decayed else 0.0, RATE: rate}
        for (decayed, rate, _), own in alike.items()
    ]
