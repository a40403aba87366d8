"""A workload in a file of its own that has what training could forget between two levels, in a network of moments."""

from pathlib import Path

SOURCE = """
import torch
from torch import nn
from runners.workload import Workload
from runners.workloads.synthetic import make_splits
from spaces.plans import TrainingPlan


def make_network():
    '''Normalises, drops out, and answers to images (n, 1, 8, 8) with four logits.'''
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 1, 1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, 2, 1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(16, 4),
    )


def augment(images, generator):
    return images + 0.3 * torch.randn(images.shape, generator=generator)


WORKLOAD = Workload(
    "small", make_network, make_splits, augment=augment, training=TrainingPlan(epochs=3, batch_size=16)
)
"""


def write_small_workload(folder: Path) -> str:
    """Its reference, in the new file ``small.py`` of ``folder``."""
    (folder / "small.py").write_text(SOURCE)
    return f"{folder / 'small.py'}:WORKLOAD"
