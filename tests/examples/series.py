"""Three kinds of swinging, measured at 24 times by four sensors: a convolution over time, and a GRU."""

import numpy as np
from torch import nn

from runners.workload import Workload
from spaces.plans import TrainingPlan


class Listener(nn.Module):
    def __init__(self):
        super().__init__()
        self.filters = nn.Sequential(nn.Conv1d(4, 16, 3, padding=1), nn.ReLU())
        self.gru = nn.GRU(16, 32, batch_first=True)
        self.head = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))

    def forward(self, x):
        _, last = self.gru(self.filters(x.transpose(1, 2)).transpose(1, 2))
        return self.head(last[0])


def load():
    random = np.random.default_rng(1)
    kinds = random.integers(0, 3, 900)
    times = np.arange(24)[:, None] * (kinds[:, None, None] + 1) * 0.4 + random.uniform(0, 6, (900, 1, 1))
    values = np.sin(times) + random.normal(0, 0.2, (900, 24, 4))
    cuts = {"train": slice(0, 600), "validation": slice(600, 750), "test": slice(750, 900)}
    return {name: (values[cut], kinds[cut]) for name, cut in cuts.items()}


PLAN = TrainingPlan(epochs=5, batch_size=16, optimiser="adamw", learning_rate=0.01)
WORKLOAD = Workload("series", Listener, load, training=PLAN)
