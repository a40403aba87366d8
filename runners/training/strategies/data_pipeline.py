"""Data parallelism over pipelines of two workers each."""

from torch import nn
from torch.distributed.device_mesh import init_device_mesh

from runners.training.sharing.pipeline_share import PipelineShare, why_no_pipeline
from runners.training.strategy import Share, Strategy, Training
from runners.workload import Workload
from spaces.plans import SHARING_A_NETWORK, TrainingPlan


class DataPipeline(Strategy):
    """Pairs of workers are pipelines, which divide each batch."""

    name = "data-pipeline"
    shares_weights = True

    def unsupported(self, workload: Workload, network: nn.Module, plan: TrainingPlan, workers: int) -> str | None:
        return why_no_pipeline(workload, network, plan, SHARING_A_NETWORK, workers // SHARING_A_NETWORK)

    def share(self, training: Training) -> Share:
        shape = training.workers // SHARING_A_NETWORK, SHARING_A_NETWORK
        mesh = init_device_mesh(training.device.type, shape, mesh_dim_names=("data", "pipeline"))
        return PipelineShare(training, mesh["pipeline"].get_group(), mesh["data"].get_group())


STRATEGY = DataPipeline()
