"""Data parallelism of one process: a thread for each of several accelerators, which get a share of each batch."""

from torch import nn

from runners.training.sharing.batch_norm import has_batch_norm
from runners.training.strategy import Share, Strategy, Training
from runners.workload import Workload
from spaces.plans import TrainingPlan


class DataParallelThreads(Strategy):
    """`torch.nn.DataParallel`: the network is copied to every accelerator for each batch, so that it needs few of them.

    Torch recommends `data_parallel` in its place; it is here because the copies need no second process.
    """

    name = "data-parallel-threads"
    processes = False

    def unsupported(self, workload: Workload, network: nn.Module, plan: TrainingPlan, workers: int) -> str | None:
        if has_batch_norm(network):
            return (
                "torch.nn.DataParallel gives batch normalisation the statistics of each accelerator's own examples, so "
                "that the network would be another one than from one process"
            )
        if plan.compares_layers:
            return f"the layers that {plan.distillation_method} compares lie in copies of the network, one a thread"
        if plan.communication != "fp32":
            return "torch.nn.DataParallel sends gradients in their own number format"
        return None

    def share(self, training: Training) -> Share:
        share = Share(training)
        share.module = nn.DataParallel(training.learning, [*range(training.workers)])
        return share


STRATEGY = DataParallelThreads()
