"""Data parallelism over halves of the workers, in each of which two share every layer by tensor parallelism."""

from torch import nn
from torch.distributed.device_mesh import init_device_mesh

from runners.training.sharing.tensor_share import TensorShare, why_not_divided
from runners.training.strategy import Share, Strategy, Training
from runners.workload import Workload
from spaces.plans import SHARING_A_NETWORK, TrainingPlan


class DataTensor(Strategy):
    """Pairs of workers divide the network, and the pairs divide each batch."""

    name = "data-tensor"
    shares_weights = True

    def unsupported(self, workload: Workload, network: nn.Module, plan: TrainingPlan, workers: int) -> str | None:
        return why_not_divided(network, plan, SHARING_A_NETWORK)

    def share(self, training: Training) -> Share:
        shape = training.workers // SHARING_A_NETWORK, SHARING_A_NETWORK
        mesh = init_device_mesh(training.device.type, shape, mesh_dim_names=("data", "tensor"))
        return TensorShare(training, mesh["tensor"], mesh["data"])


STRATEGY = DataTensor()
