"""The share of one process in a training, which is the whole of it, for tests of what the training makes of it."""

from torch import nn

from runners.training.distillation import Distillation
from runners.training.settings import Level, TrainingSettings
from runners.training.strategy import Share, Training
from runners.workloads.synthetic import WORKLOAD
from spaces.plans import TrainingPlan


def whole_share(network: nn.Module) -> Share:
    """All of ``network``, whose parameters are called ``network.NAME``."""
    plan = TrainingPlan()
    learning = Distillation(network, None, plan, tuple, {}, 0)
    return Share(Training(learning, WORKLOAD, Level.whole(TrainingSettings(plan), 0)))
