"""The share of a worker in tensor parallelism, alone or together with data parallelism."""

from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

from runners.training.batches import Batch
from runners.training.sharing.averaging_gradients import average_gradients
from runners.training.sharing.batch_norm import same_statistics
from runners.training.sharing.divided_attention import divide_attention
from runners.training.sharing.sharded_tensors import ShardedShare
from runners.training.sharing.shared_layers import why_layers_share
from runners.training.sharing.tensor_plan import tensor_plan
from runners.training.strategy import Training
from spaces.plans import TrainingPlan


class TensorShare(ShardedShare):
    """A share of the layers that `tensor_plan` finds; the other layers every worker computes whole, to the same values.

    Args:
        training: What is shared.
        mesh: The workers that have one network together.
        data: Those that have the same share of it, and divide each batch; None where all have the whole batch.
    """

    def __init__(self, training: Training, mesh: DeviceMesh, data: DeviceMesh | None = None) -> None:
        super().__init__(training)
        network, plan = training.learning.network, training.plan
        self._data = None if data is None else data.get_group()
        if data is not None:
            self.data_rank, self.data_workers = data.get_local_rank(), data.size()
            if plan.sync_batch_norm:
                same_statistics(network, data.get_group())
        found = tensor_plan(network, mesh.size())
        ways = {first: ColwiseParallel() for first, _ in found.pairs}
        parallelize_module(network, mesh, {**ways, **{second: RowwiseParallel() for _, second in found.pairs}})
        for name in found.attentions:
            divide_attention(network.get_submodule(name), mesh)

    def add_gradients(self, batch: Batch) -> Tensor:
        loss = super().add_gradients(batch)
        if self._data is not None:
            average_gradients(self.parameters().values(), self._data, self.training.plan.communication)
        return loss


def why_not_divided(network: nn.Module, plan: TrainingPlan, workers: int) -> str | None:
    """Why ``network`` cannot be divided among ``workers``, or None."""
    if reason := why_layers_share(network):
        return reason
    if not tensor_plan(network, workers):
        return (
            "it divides pairs of linear layers and heads of attention, as in MLPs and in transformers of torchvision "
            f"and timm, and the network has none that {workers} workers can divide evenly"
        )
    return None
