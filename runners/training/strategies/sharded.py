"""Sharded data parallelism: each worker keeps a share of every weight and of all that belongs to it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from runners.models.blocks import blocks
from runners.models.called_layers import example_batch
from runners.training.sharing.batch_norm import same_statistics
from runners.training.sharing.sharded_tensors import ShardedShare
from runners.training.sharing.shared_layers import why_layers_share
from runners.training.strategy import Share, Strategy, Training
from runners.workload import Workload
from spaces.plans import TrainingPlan

FORMATS = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Sharded(Strategy):
    """`torch.distributed.fsdp.fully_shard` (Zhao et al., arXiv 2304.11277): blocks are whole while they compute."""

    name = "sharded"
    shares_weights = True

    def unsupported(self, workload: Workload, network: nn.Module, plan: TrainingPlan, workers: int) -> str | None:
        if reason := why_layers_share(network):
            return reason
        if not all(parameter.is_floating_point() for parameter in network.parameters()):
            return "fully_shard shards parameters of floating point only, and it has others"
        if len({parameter.dtype for parameter in network.parameters()}) > 1:
            return "fully_shard shards parameters of one number format, and it has several"
        return None

    def share(self, training: Training) -> Share:
        return _Share(training)


class _Share(ShardedShare):
    def __init__(self, training: Training) -> None:
        super().__init__(training)
        self.data_rank, self.data_workers = training.rank, training.workers
        network, plan = training.learning.network, training.plan
        if plan.sync_batch_norm:
            same_statistics(network)
        network.to(memory_format=torch.contiguous_format)  # of which shards are cut
        policy = MixedPrecisionPolicy(reduce_dtype=FORMATS.get(plan.communication))
        for block in whole_blocks(training):
            fully_shard(block, mp_policy=policy)
        self._sharded = fully_shard(training.learning, mp_policy=policy)

    @contextmanager
    def kept_apart(self) -> Iterator[None]:
        self._sharded.set_requires_gradient_sync(False)
        try:
            yield
        finally:
            self._sharded.set_requires_gradient_sync(True)


def whole_blocks(training: Training) -> Iterator[nn.Module]:
    """The blocks of the network that are one layer each, whose parameters no other layer has."""
    network, workload = training.learning.network, training.workload
    example = example_batch(workload.example_inputs.arrays, training.device)
    for block in blocks(network, example):
        first = block.layers[0]
        own = {id(parameter) for parameter in first.parameters()}
        if first is not network and own <= {id(parameter) for parameter in block.parameters.values()}:
            yield first


STRATEGY = Sharded()
