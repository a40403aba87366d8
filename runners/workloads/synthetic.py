"""Four classes of striped 8x8 images made from a seed: small enough that a whole search takes seconds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from runners.workload import Workload
from spaces.plans import TrainingPlan


def make_network() -> nn.Module:
    """Grey images ``(n, 1, 8, 8)`` to four logits ``(n, 4)``."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 1, 1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, 2, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 4),
    )


def make_splits() -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Stripes across, down or along either diagonal, with noise: 240 / 80 / 80 images."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[0:8, 0:8]
    waves = np.stack([rows, columns, rows + columns, rows - columns])
    labels = random.integers(0, 4, 400)
    phases = random.uniform(0, 2 * np.pi, (400, 1, 1))
    images = np.sin(waves[labels] * np.pi / 2 + phases) + random.normal(0, 0.3, (400, 8, 8))
    inputs = images[:, None].astype(np.float32)
    cuts = {"train": slice(0, 240), "validation": slice(240, 320), "test": slice(320, 400)}
    return {name: (inputs[cut], labels[cut]) for name, cut in cuts.items()}


WORKLOAD = Workload(
    name="synthetic",
    model=make_network,
    data=make_splits,
    training=TrainingPlan(epochs=6, batch_size=16, learning_rate=0.1),
)
