"""The 1,797 handwritten digits of scikit-learn (Alpaydin & Kaynak, 1998) at 32x32, and a small residual network."""

import gzip
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from runners.workload import Workload
from spaces.plans import TrainingPlan


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al., arXiv 1512.03385)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(y)) + self.shortcut(x))


class SmallResidualNetwork(nn.Module):
    """Grey images ``(n, 1, 32, 32)`` to ten logits ``(n, 10)``: three residual blocks of 32, 64, 128 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        self.blocks = nn.Sequential(ResidualBlock(32, 32, 1), ResidualBlock(32, 64, 2), ResidualBlock(64, 128, 2))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.pool(self.blocks(self.stem(x))).flatten(1))
        return logits


def load() -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Stratified train / validation / test, 60 / 20 / 20, drawn with a fixed seed.

    The table is read out of the installed scikit-learn without importing it, which would take a second in
    every process that measures.
    """
    pixels, labels = _table()
    images = torch.from_numpy(pixels.reshape(-1, 1, 8, 8) / 16.0)
    images = nn.functional.interpolate(images, size=32, mode="bilinear", align_corners=False)
    inputs = ((images - 0.3) / 0.35).numpy().astype(np.float32)
    parts: dict[str, list[NDArray[np.int64]]] = {"train": [], "validation": [], "test": []}
    random = np.random.default_rng(0)
    for digit in range(10):
        members = random.permutation(np.flatnonzero(labels == digit))
        cuts = [round(0.6 * len(members)), round(0.8 * len(members))]
        for part, chosen in zip(parts.values(), np.split(members, cuts), strict=True):
            part.append(chosen)
    indices = {name: np.sort(np.concatenate(part)) for name, part in parts.items()}
    return {name: (inputs[chosen], labels[chosen]) for name, chosen in indices.items()}


def _table() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    package = find_spec("sklearn")
    origin = package.origin if package else None
    assert origin is not None, "scikit-learn is a dependency"
    with gzip.open(Path(origin).parent / "datasets" / "data" / "digits.csv.gz", "rt") as file:
        table = np.loadtxt(file, delimiter=",")
    return table[:, :64], table[:, 64].astype(np.int64)


WORKLOAD = Workload(
    name="digits",
    model=SmallResidualNetwork,
    data=load,
    training=TrainingPlan(epochs=8, batch_size=32, learning_rate=0.2),
)
