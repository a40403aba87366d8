"""Training by the person's own loop, ``Workload.fit``, in place of the one here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from runners.judged_network import own_network
from runners.machine.accelerator import wait_for
from runners.processes.progress import report_progress
from runners.runner import StageFailed
from runners.training.settings import Level
from runners.workload import Workload
from runners.workload_loading.user_code import user_code
from spaces.errors import RequestError
from spaces.plans import TrainingPlan


@dataclass(frozen=True)
class FitPlan:
    """What a person's own loop is told.

    Attributes:
        epochs: The epochs of this call: ``for epoch in plan.epochs``.
        all_epochs: The epochs of the whole training, over which a schedule goes.
        training: The workload's plan as the choices of the candidate change it: learning rate, batch size, ...
        seed: Decides what is drawn; drawn anew from it and from the number of an epoch, each epoch is the same whatever
            was trained before it.
        device: Where the model's weights are, and where the loop puts its batches.
        state: The tensors that the call for the epochs before returned; empty at first.
    """

    epochs: range
    all_epochs: int
    training: TrainingPlan
    seed: int
    device: torch.device
    state: Mapping[str, Tensor]


def train_by_own_loop(
    network: nn.Module, workload: Workload, level: Level, teacher: nn.Module | None, state: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Train ``network`` in place by ``workload.fit``; each call of the network counts as progress.

    Args:
        network: Trained where its weights are; the person's loop gets the model that they made.
        workload: Gives the loop and the data; the loop does not get the test split.
        level: How to train, and the epochs to train for.
        teacher: Frozen, or None without distillation.
        state: What this function returned for the epochs before.

    Returns:
        The tensors that the loop returned, which its next call gets.

    Raises:
        StageFailed: The loop failed, returned something else, or left weights that are not finite.
    """
    assert workload.fit is not None
    device = next(network.parameters()).device
    plan = FitPlan(level.epochs, level.settings.plan.epochs, level.settings.plan, level.seed, device, dict(state))
    model = own_network(network)
    data = {name: split for name, split in workload.splits.items() if name != "test"}
    soft = (own_network(teacher) if teacher is not None else None,) if workload.fit_takes_teacher else ()
    torch.manual_seed(level.seed + level.epochs.start)
    progress = model.register_forward_hook(_report)
    try:
        with user_code("its fit"):
            returned = workload.fit(model.train(), data, plan, *soft)
    except RequestError as error:
        raise StageFailed(str(error)) from error
    finally:
        progress.remove()
    network.eval()
    wait_for(device)
    if not all(parameter.isfinite().all() for parameter in network.parameters()):
        raise StageFailed("training diverged: its fit left weights that are no finite numbers")
    return _tensors(returned)


def _report(*_: Any) -> None:
    report_progress()


def _tensors(returned: Any) -> dict[str, Tensor]:
    if returned is None:
        return {}
    if not isinstance(returned, Mapping) or not all(isinstance(each, Tensor) for each in returned.values()):
        raise StageFailed(
            f"its fit returned {type(returned).__name__}; return a dict of tensors, which its next call gets as "
            "plan.state, or nothing"
        )
    return {str(name): tensor.detach() for name, tensor in returned.items()}
