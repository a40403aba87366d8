"""Tensor parallelism: each worker has some heads of attention, and some hidden units between linear layers."""

from torch import nn
from torch.distributed.device_mesh import init_device_mesh

from runners.training.sharing.tensor_share import TensorShare, why_not_divided
from runners.training.strategy import Share, Strategy, Training
from runners.workload import Workload
from spaces.plans import TrainingPlan


class TensorParallel(Strategy):
    """`torch.distributed.tensor.parallel.parallelize_module` (Shoeybi et al., arXiv 1909.08053)."""

    name = "tensor-parallel"
    shares_weights = True

    def unsupported(self, workload: Workload, network: nn.Module, plan: TrainingPlan, workers: int) -> str | None:
        return why_not_divided(network, plan, workers)

    def share(self, training: Training) -> Share:
        mesh = init_device_mesh(training.device.type, (training.workers,), mesh_dim_names=("tensor",))
        return TensorShare(training, mesh)


STRATEGY = TensorParallel()
