"""Batch normalisation with the statistics of the whole batch, where workers each have a share of it.

`torch.nn.SyncBatchNorm` does it on accelerators and refuses the processor, where it is computed here.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import ProcessGroup
from torch.nn.modules.batchnorm import _BatchNorm


def same_statistics(network: nn.Module, group: ProcessGroup | None = None) -> None:
    """Let the batch normalisations of ``network`` use the statistics of all workers' examples while they train.

    Args:
        network: Changed in place, without a change of its tensors or their names.
        group: The workers that share a batch; by default all.
    """
    if next(network.parameters()).device.type != "cpu":
        nn.SyncBatchNorm.convert_sync_batchnorm(network, group)  # type: ignore[no-untyped-call]
        return
    for layer in network.modules():
        if isinstance(layer, _BatchNorm):
            layer.forward = partial(_normalise, layer, group)  # type: ignore[method-assign]


def has_batch_norm(network: nn.Module) -> bool:
    """Whether ``network`` normalises by the statistics of a batch."""
    return any(isinstance(layer, _BatchNorm) for layer in network.modules())


def _normalise(layer: _BatchNorm, group: ProcessGroup | None, inputs: Tensor) -> Tensor:
    """What ``layer`` gives for ``inputs`` of shape ``(n, channels, ...)``, by two sums over the workers."""
    if not layer.training:
        return type(layer).forward(layer, inputs)
    across = [0, *range(2, inputs.dim())]
    values = inputs.float()
    count = torch.tensor(float(inputs.numel() // inputs.shape[1]))
    torch.distributed.all_reduce(count, group=group)
    mean = _sum(values.sum(across), group) / count
    centred = values - _over_channels(mean, values)
    variance = _sum(centred.square().sum(across), group) / count
    _remember(layer, mean.detach(), variance.detach() * count / (count - 1))
    outputs = centred * _over_channels((variance + layer.eps).rsqrt(), values)
    if layer.affine:
        outputs = outputs * _over_channels(layer.weight, values) + _over_channels(layer.bias, values)
    return outputs.to(inputs.dtype)


def _remember(layer: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Take the statistics of a batch into the running ones."""
    if layer.running_mean is None or layer.running_var is None or layer.num_batches_tracked is None:
        return
    layer.num_batches_tracked.add_(1)
    new = 1 / layer.num_batches_tracked if layer.momentum is None else layer.momentum
    layer.running_mean.lerp_(mean, new)
    layer.running_var.lerp_(variance, new)


def _sum(values: Tensor, group: ProcessGroup | None) -> Tensor:
    """The sum over the workers, with its gradient."""
    summed: Tensor = _Sum.apply(values, group)
    return summed


class _Sum(torch.autograd.Function):
    """The sum of a tensor over the workers; each gets the sum of all gradients of it."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, group: ProcessGroup | None) -> Tensor:
        ctx.group = group
        return _summed(values, group)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _summed(gradients[0], ctx.group), None


def _summed(values: Tensor, group: ProcessGroup | None) -> Tensor:
    summed = values.clone(memory_format=torch.contiguous_format)
    torch.distributed.all_reduce(summed, group=group)
    return summed


def _over_channels(values: Tensor, like: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (like.dim() - 2))
