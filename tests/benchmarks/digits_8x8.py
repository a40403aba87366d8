"""The digits of scikit-learn as they are, 8x8, and a small convolutional network: a training takes seconds."""

from typing import Any

from numpy.typing import NDArray
from torch import nn

from runners.workload import Workload
from runners.workloads import digits
from spaces.plans import TrainingPlan


def make_network() -> nn.Module:
    """Grey images ``(n, 1, 8, 8)`` to ten logits ``(n, 10)``, with 94,000 weights."""
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 128, 3, padding=1, bias=False), nn.BatchNorm2d(128), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10)),
    )


def load() -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """The splits of the workload digits; each 4x4 pixels of its images are one here."""
    splits = digits.load().items()
    return {name: (images.reshape(-1, 1, 8, 4, 8, 4).mean((3, 5)), labels) for name, (images, labels) in splits}


WORKLOAD = Workload(
    name="digits_8x8",
    model=make_network,
    data=load,
    training=TrainingPlan(epochs=8, batch_size=32, learning_rate=0.2),
)
