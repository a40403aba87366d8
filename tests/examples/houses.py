"""House prices from a table: numbers and texts into one number, judged by R²."""

from pathlib import Path

import numpy as np
from torch import nn

from runners.datasets.csv_file import csv_data
from runners.workload import Workload
from spaces.plans import TrainingPlan


def network():
    return nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))


def r2(outputs, targets):
    return float(1 - np.square(targets - outputs).sum() / np.square(targets - targets.mean()).sum())


WORKLOAD = Workload(
    name="houses",
    model=network,
    data=lambda: csv_data(Path(__file__).parent / "houses.csv", target="price"),
    loss=nn.MSELoss(),
    metric=r2,
    training=TrainingPlan(epochs=10, batch_size=16, learning_rate=0.02),
)
