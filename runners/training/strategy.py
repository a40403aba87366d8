"""The contract of a training strategy: how workers share the training of one network."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from runners.lowering.weights import copy_network
from runners.training.batches import Batch
from runners.training.distillation import Distillation
from runners.training.layer_distance import layer_distance
from runners.training.loss import training_loss, with_exits
from runners.training.settings import Level
from runners.workload import UNLABELLED, Workload
from spaces.plans import TrainingPlan


@dataclass(frozen=True)
class Training:
    """A training that is about to begin, as one of its workers sees it.

    Attributes:
        learning: The network and its teacher, on the device of this worker.
        workload: Gives the loss, and makes the network.
        level: How to train.
        rank: The number of this worker, from 0.
        workers: How many there are; where there are more than one, all are in one process group.
    """

    learning: Distillation
    workload: Workload
    level: Level
    rank: int = 0
    workers: int = 1

    @property
    def plan(self) -> TrainingPlan:
        """How the network is trained."""
        return self.level.settings.plan

    @property
    def device(self) -> torch.device:
        """The device of this worker."""
        return next(self.learning.parameters()).device

    @property
    def examples(self) -> int:
        """The examples of a batch, those of all workers together."""
        return min(self.plan.batch_size, len(self.workload.splits["train"]))

    @property
    def adds_unlabelled(self) -> bool:
        """Whether a batch has as many inputs without targets."""
        return self.learning.learns_from_teacher and UNLABELLED in self.workload.splits

    def loss(self, module: nn.Module, part: Batch) -> Tensor:
        """The loss of ``part`` of a batch, of which ``module``, which may wrap ``learning``, gives the outputs."""
        with precision(part.targets.device, self.level.settings.autocast):
            outputs, own_layers = module(*part.all_inputs)
        return self.loss_of(outputs, own_layers, part)

    def loss_of(self, outputs: list[Tensor], own_layers: list[Tensor], part: Batch) -> Tensor:
        """The loss of ``part`` of a batch, for which the network, its exits and its compared layers gave these.

        Args:
            outputs: The last output, and behind it those of early exits.
            own_layers: Of layers that are compared with the teacher's.
            part: Its targets.
        """
        with precision(part.targets.device, self.level.settings.autocast):
            known = part.soft is not None
            soft, teaching_layers = (part.soft, []) if known else self.learning.teacher_outputs(part.all_inputs)
        loss = with_exits([training_loss(self.workload, self.plan, each.float(), part, soft) for each in outputs])
        if not teaching_layers:
            return loss
        distance = layer_distance(self.plan.distillation_method, own_layers, teaching_layers)
        return loss + self.plan.distillation_layer_weight * distance


class Share:
    """The share of one worker in a training; this one is the whole of it.

    Attributes:
        training: What is shared.
        module: What is called with inputs: ``training.learning``, or what wraps it.
        data_rank: Number of this worker among those that share a batch. What the network draws follows from it.
        data_workers: How many share a batch.
        computes_loss: Whether this worker computes a loss; in a pipeline the last stage does.
    """

    data_rank = 0
    data_workers = 1
    computes_loss = True

    def __init__(self, training: Training) -> None:
        self.training = training
        self.module: nn.Module = training.learning

    def parameters(self) -> dict[str, nn.Parameter]:
        """The parameters that this worker trains, by their name in ``training.learning``."""
        return dict(self.training.learning.named_parameters())

    def tensors(self) -> dict[str, Tensor]:
        """The parameters and buffers of the network that this worker holds, by name, as plain tensors of its memory."""
        network = self.training.learning.network
        return {name: each.detach() for name, each in [*network.named_parameters(), *network.named_buffers()]}

    def place(self, name: str, tensor: Tensor) -> Tensor:
        """A copy of the whole ``tensor`` as this worker holds it, laid out as the parameter of that ``name``."""
        return torch.empty_like(self.parameters()[name]).copy_(tensor).detach()

    def whole(self, name: str, tensor: Tensor) -> Tensor:
        """The whole of which this worker holds ``tensor``, which belongs to the parameter or buffer of that ``name``.

        The workers that hold a share of it call this together, in one order.
        """
        return tensor

    def placed_weight(self, name: str, tensor: Tensor) -> Tensor:
        """What this worker holds of the whole ``tensor``, as `tensors` gives it under that ``name``."""
        return tensor

    def whole_weight(self, name: str, tensor: Tensor) -> Tensor:
        """The whole of which `tensors` gives ``tensor`` under that ``name``; see `whole`."""
        return self.whole(f"network.{name}", tensor)

    def collect(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The ``tensors`` of all workers, by name; all call this together."""
        return tensors

    def add_gradients(self, batch: Batch) -> Tensor:
        """Add the gradients of the mean loss of ``batch``, which is that of all workers, to those of the parameters.

        Returns:
            The mean loss of the examples that this worker computed.
        """
        own = batch.share_of(self.data_rank, self.data_workers).to(self.training.device)
        parts = own.parts(self.training.plan.accumulation)
        mean = torch.zeros((), device=self.training.device)
        for part in parts:
            with nullcontext() if part is parts[-1] else self.kept_apart():
                loss = self.training.loss(self.module, part)
                # Workers average their gradients, whatever the sizes of their shares.
                (loss * (len(part) * self.data_workers / len(batch))).backward()  # type: ignore[no-untyped-call]
            mean += loss.detach() * (len(part) / len(own))
        return mean

    def kept_apart(self) -> AbstractContextManager[Any]:
        """Where this worker keeps gradients for itself, until those of the last part of a batch come."""
        return nullcontext()

    def clip(self, largest: float) -> None:
        """Scale the gradients down where the norm of all of them together is larger than ``largest``."""
        clip_grad_norm_(self.parameters().values(), largest)

    def trained(self, spare: nn.Module | None) -> nn.Module:
        """The trained network; that of the first worker is whole.

        Args:
            spare: Another network with the same tensors where weights are shared; see `Strategy.shares_weights`.
        """
        return self.training.learning.network


class Strategy(ABC):
    """The contract of a file in ``runners/training/strategies``, which declares one instance as ``STRATEGY``.

    Every strategy trains a network to the same loss as one process, apart from rounding, from the same seed and the
    same batches. Where it cannot, `unsupported` says why. What dropout draws is each worker's own.
    """

    name: ClassVar[str]
    """Its name in `TrainingPlan.strategy`."""
    shares_weights: ClassVar[bool] = False
    """Whether no worker holds the whole network while it is trained."""
    processes: ClassVar[bool] = True
    """Whether each worker is a process of its own."""

    def unsupported(self, workload: Workload, network: nn.Module, plan: TrainingPlan, workers: int) -> str | None:
        """Why ``network`` cannot be trained so, or None.

        Args:
            workload: Gives examples of the inputs.
            network: On the CPU.
            plan: How it is to be trained.
            workers: By how many.
        """
        return None

    @abstractmethod
    def share(self, training: Training) -> Share:
        """The share of this worker. All workers call it together; the network may be changed."""


def spare_network(strategy: Strategy, training: Training) -> nn.Module | None:
    """A copy of the network for the first worker, into which the trained weights go where workers share them."""
    if not strategy.shares_weights or training.rank:
        return None
    return copy_network(training.learning.network, training.workload.network)


def with_tensors(network: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """``network`` with these parameters and buffers."""
    with torch.no_grad():
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            tensor.copy_(tensors[name])
    return network


def precision(device: torch.device, autocast: str) -> AbstractContextManager[Any]:
    """Where operations compute in the format ``autocast``, ``bf16`` or ``fp32``."""
    return torch.autocast(device.type, torch.bfloat16) if autocast == "bf16" else nullcontext()
