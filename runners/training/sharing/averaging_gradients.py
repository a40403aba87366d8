"""The mean of gradients over workers that each have a share of a batch."""

from collections.abc import Iterable

import torch
from torch import distributed, nn
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors
from torch.distributed import ProcessGroup

from runners.training.sharing.sharded_tensors import local

FORMATS = {"bf16": torch.bfloat16, "fp16": torch.float16}


def average_gradients(parameters: Iterable[nn.Parameter], group: ProcessGroup, number_format: str) -> None:
    """Put the mean over the workers of ``group`` into the gradients of ``parameters``, in one message.

    Args:
        parameters: The same on each of these workers, or the same shard.
        group: The workers.
        number_format: In which the gradients travel: fp32, bf16 or fp16.
    """
    gradients = [local(each.grad) for each in parameters if each.grad is not None]
    together = _flatten_dense_tensors(gradients)  # type: ignore[no-untyped-call]
    message = together.to(FORMATS.get(number_format, together.dtype)).div_(group.size())
    distributed.all_reduce(message, group=group)
    means = _unflatten_dense_tensors(message.to(together.dtype), gradients)  # type: ignore[no-untyped-call]
    for gradient, mean in zip(gradients, means, strict=True):
        gradient.copy_(mean)
