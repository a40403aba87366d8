"""A picture and four numbers into three classes: what is seen counts one way or the other as the numbers say."""

import numpy as np
import torch
from torch import nn

from runners.workload import Workload
from spaces.plans import TrainingPlan


class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU())
        self.told = nn.Sequential(nn.Linear(4, 16), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 3))

    def forward(self, picture, numbers):
        return self.head(torch.cat([self.seen(picture).mean((2, 3)), self.told(numbers)], 1))


def load():
    random = np.random.default_rng(2)
    stripes, numbers = random.integers(0, 2, 900), random.normal(size=(900, 4))
    waves = np.where(stripes[:, None, None] == 1, *np.mgrid[0:12, 0:12][:, None])
    pictures = np.sin(waves * 1.5)[:, None] + random.normal(0, 0.3, (900, 1, 12, 12))
    classes = np.where(numbers[:, 0] > 0.7, 2, stripes)
    cuts = {"train": slice(0, 600), "validation": slice(600, 750), "test": slice(750, 900)}
    return {name: ((pictures[cut], numbers[cut]), classes[cut]) for name, cut in cuts.items()}


WORKLOAD = Workload("two-inputs", Both, load, training=TrainingPlan(epochs=5, batch_size=16, learning_rate=0.2))
