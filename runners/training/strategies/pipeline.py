"""Pipeline parallelism: each worker has some layers of the network, and micro-batches go from one to the next."""

from torch import nn
from torch.distributed.device_mesh import init_device_mesh

from runners.training.sharing.pipeline_share import PipelineShare, why_no_pipeline
from runners.training.strategy import Share, Strategy, Training
from runners.workload import Workload
from spaces.plans import TrainingPlan


class Pipeline(Strategy):
    """`torch.distributed.pipelining`, with the schedules GPipe (Huang et al., arXiv 1811.06965), 1F1B, and 1F1B with
    interleaved stages (Narayanan et al., arXiv 2104.04473).
    """

    name = "pipeline"
    shares_weights = True

    def unsupported(self, workload: Workload, network: nn.Module, plan: TrainingPlan, workers: int) -> str | None:
        return why_no_pipeline(workload, network, plan, workers, 1)

    def share(self, training: Training) -> Share:
        mesh = init_device_mesh(training.device.type, (training.workers,), mesh_dim_names=("pipeline",))
        return PipelineShare(training, mesh.get_group())


STRATEGY = Pipeline()
