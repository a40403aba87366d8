"""A share in a training whose parameters lie in shards (`torch.distributed.tensor.DTensor`) on the workers."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from runners.training.strategy import Share, Training, with_tensors


class ShardedShare(Share):
    """The share of a worker that holds shards of parameters, and the other parameters and all buffers whole.

    Made before anything is sharded: the whole tensors keep the shapes that they have then.
    """

    def __init__(self, training: Training) -> None:
        super().__init__(training)
        learning = training.learning
        tensors = [*learning.named_parameters(), *learning.named_buffers()]
        self._shapes = {name: tensor.shape for name, tensor in tensors}

    def tensors(self) -> dict[str, Tensor]:
        return {name: local(tensor) for name, tensor in super().tensors().items()}

    def place(self, name: str, tensor: Tensor) -> Tensor:
        like = self.parameters()[name]
        if not isinstance(like, DTensor):
            return super().place(name, tensor)
        moved = tensor.to(like.device, like.dtype).reshape(like.shape)
        return distribute_tensor(moved, like.device_mesh, like.placements, src_data_rank=None)

    def whole(self, name: str, tensor: Tensor) -> Tensor:
        like = self.parameters().get(name)
        if not isinstance(like, DTensor):
            return tensor
        if not isinstance(tensor, DTensor):
            layout = {"shape": like.shape, "stride": like.stride()}
            tensor = DTensor.from_local(tensor, like.device_mesh, like.placements, **layout)
        return tensor.full_tensor().reshape(self._shapes[name])

    def placed_weight(self, name: str, tensor: Tensor) -> Tensor:
        inner = f"network.{name}"
        return local(self.place(inner, tensor)) if inner in self.parameters() else tensor

    def clip(self, largest: float) -> None:
        trained = list(self.parameters().values())
        groups = [[each for each in trained if isinstance(each, DTensor) is sharded] for sharded in (True, False)]
        norm = torch.stack([_norm(group) for group in groups if group]).square().sum().sqrt()
        for group in groups:
            clip_grads_with_norm_(group, largest, norm)

    def trained(self, spare: nn.Module | None) -> nn.Module:
        network = self.training.learning.network
        found = {name: self.whole_weight(name, tensor) for name, tensor in self.tensors().items()}
        return network if spare is None else with_tensors(spare, found)


def local(tensor: Tensor) -> Tensor:
    """The part of ``tensor`` that this worker holds, in the same memory."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def _norm(parameters: Iterable[nn.Parameter]) -> Tensor:
    norm = get_total_norm([each.grad for each in parameters if each.grad is not None])
    return norm.full_tensor() if isinstance(norm, DTensor) else norm
