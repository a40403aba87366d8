"""Data parallelism: each worker has the whole network and a share of each batch, and they average their gradients."""

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook, fp16_compress_hook

from runners.training.sharing.batch_norm import same_statistics
from runners.training.strategy import Share, Strategy, Training

COMPRESSION = {"bf16": bf16_compress_hook, "fp16": fp16_compress_hook}


class DataParallel(Strategy):
    """`torch.nn.parallel.DistributedDataParallel` (Li et al., arXiv 2006.15704)."""

    name = "data-parallel"

    def share(self, training: Training) -> Share:
        return _Share(training)


class _Share(Share):
    def __init__(self, training: Training) -> None:
        super().__init__(training)
        self.data_rank, self.data_workers = training.rank, training.workers
        if training.plan.sync_batch_norm:
            same_statistics(training.learning.network)
        together = nn.parallel.DistributedDataParallel(training.learning)
        if hook := COMPRESSION.get(training.plan.communication):
            together.register_comm_hook(torch.distributed.group.WORLD, hook)
        self.module = self._together = together

    def kept_apart(self) -> AbstractContextManager[Any]:
        return self._together.no_sync()


STRATEGY = DataParallel()
