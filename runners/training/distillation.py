"""A network together with what it takes to learn from a teacher: soft targets, and layers that are compared."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from runners.models.compared_layers import Place, pairs, places_of
from runners.runner import StageFailed
from spaces.early_exits.network import exits_of
from spaces.plans import TrainingPlan

PROJECTION = "projection/"
"""Begins the names of the weights of projections in the state of a training."""


class Distillation(nn.Module):
    """A network that learns, with a projection of each of its layers that is compared with a wider one.

    Projections are trained beside the network, travel with the state of its training, and are thrown away at the end.

    Args:
        network: The network that learns.
        teacher: Its teacher, frozen; None without distillation.
        plan: By which method it learns.
        example: A tensor for each input, by which the layers that are compared are found; not read for soft targets.
        state: What `state` gave at the end of the epochs before.
        seed: Decides the first weights of the projections.

    Raises:
        StageFailed: The two networks have no layers that can be compared by that method.
    """

    def __init__(
        self,
        network: nn.Module,
        teacher: nn.Module | None,
        plan: TrainingPlan,
        example: Callable[[], tuple[Tensor, ...]],
        state: Mapping[str, Tensor],
        seed: int,
    ) -> None:
        super().__init__()
        self.network = network
        self.projections = nn.ModuleList()
        self._teacher = (teacher,)  # in a tuple, so that its weights are none of this module's
        self._plan = plan
        self._places: tuple[list[Place], list[Place]] = ([], [])
        self._read: tuple[dict[int, Tensor], dict[int, Tensor]] = ({}, {})
        if teacher is not None and plan.compares_layers:
            self._places = _compared(plan.distillation_method, network, teacher, example())
            if plan.distillation_method == "features":
                self._add_projections(state, seed)

    def forward(self, *inputs: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """What the network gives, behind that what its exits give, and what its compared layers give, projected."""
        last = self.network(*inputs)
        outputs = [last, *(each.take_early() for each in exits_of(self.network))]
        layers = self._layers(0)
        if self.projections:
            layers = [project(each) for project, each in zip(self.projections, layers, strict=True)]
        return outputs, layers

    @property
    def learns_from_teacher(self) -> bool:
        """Whether the loss depends on the teacher."""
        return self._teacher[0] is not None and self._plan.distils

    def teacher_outputs(self, inputs: Sequence[Tensor]) -> tuple[Tensor | None, list[Tensor]]:
        """The teacher's soft targets, None without them, and what its compared layers give."""
        teacher = self._teacher[0]
        if teacher is None or not self.learns_from_teacher:
            return None, []
        with torch.no_grad():
            outputs = teacher(*inputs)
        return outputs if self._plan.distillation_weight else None, self._layers(1)

    def _layers(self, which: int) -> list[Tensor]:
        """What was read of the network (0) or of the teacher (1) in its last call, pair by pair."""
        read = self._read[which]
        return [read.pop(number) for number in range(len(self._places[which]))]

    def state(self) -> dict[str, Tensor]:
        """The weights of the projections by name, for the epochs that follow."""
        return {PROJECTION + name: tensor.detach() for name, tensor in self.projections.named_parameters()}

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Context in which the compared layers are read."""
        networks = (self.network, self._teacher[0])
        hooks = [
            _read_at(network, place, read, number)
            for network, places, read in zip(networks, self._places, self._read, strict=True)
            if network is not None
            for number, place in enumerate(places)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _add_projections(self, state: Mapping[str, Tensor], seed: int) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            fitted = [_projection(own, other) for own, other in zip(*self._places, strict=True)]
        self.projections.extend(fitted).to(next(self.network.parameters()).device)
        with torch.no_grad():
            for name, tensor in self.projections.named_parameters():
                if PROJECTION + name in state:
                    tensor.copy_(state[PROJECTION + name])


def _compared(
    method: str, network: nn.Module, teacher: nn.Module, example: tuple[Tensor, ...]
) -> tuple[list[Place], list[Place]]:
    """The places of both networks, pair by pair, in the order in which the networks come to them."""
    found = pairs(places_of(method, network, example), places_of(method, teacher, example))
    if not found:
        raise StageFailed(f"the network and its teacher have no layers that can be compared by {method}")
    return [own for own, _ in found], [other for _, other in found]


def _projection(own: Place, other: Place) -> nn.Module:
    """A linear map of channels, or of the last dimension of what is no feature map; none where the sizes are equal."""
    if own.reads_input != other.reads_input or len(own.shape) != len(other.shape):
        raise StageFailed(
            f"the layer {own.layer} gives {own.shape} and that of the teacher, {other.layer}, {other.shape}, which "
            "cannot be compared by features"
        )
    kinds: dict[int, Any] = {3: nn.Conv2d, 4: nn.Conv3d}
    if len(own.shape) in kinds and not own.reads_input:
        same = own.shape[0] == other.shape[0]
        return nn.Identity() if same else kinds[len(own.shape)](own.shape[0], other.shape[0], 1, bias=False)
    same = own.shape[-1] == other.shape[-1]
    return nn.Identity() if same else nn.Linear(own.shape[-1], other.shape[-1], bias=False)


def _read_at(network: nn.Module, place: Place, read: dict[int, Tensor], number: int) -> Any:
    """Put what the layer at ``place`` reads or gives into ``read`` at each call; returns the hook."""
    layer = network.get_submodule(place.layer)

    def keep_input(_: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        read[number] = next(each for each in (*inputs, *named.values()) if isinstance(each, Tensor))

    def keep_output(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        read[number] = output

    if place.reads_input:
        return layer.register_forward_pre_hook(keep_input, with_kwargs=True)
    return layer.register_forward_hook(keep_output)
