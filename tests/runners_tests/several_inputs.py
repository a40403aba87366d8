"""A workload with inputs of every type by name, a length that varies, and outputs in a dataclass."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from runners.workload import Workload
from spaces.plans import TrainingPlan

LENGTH = 8


@dataclass
class Answer:
    """What the network answers with, as models of Hugging Face do."""

    logits: Tensor
    mean: Tensor
    loss: Tensor | None = None


class Several(nn.Module):
    """Token ids, a mask and numbers to three logits; more arguments than it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, 16)
        self.filters = nn.Conv1d(16, 16, 3, padding=1)
        self.numbers = nn.Linear(4, 16)
        self.head = nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 3))

    def forward(self, numbers: Tensor, tokens: Tensor, kinds: Tensor | None = None, mask: Any = None) -> Answer:
        read = torch.relu(self.filters(self.embedding(tokens).transpose(1, 2)))
        mean = (read * mask[:, None]).sum(2) / mask.sum(1, keepdim=True)
        return Answer(self.head(torch.cat([mean, torch.relu(self.numbers(numbers))], 1)), mean)


def load() -> dict[str, Any]:
    """The class is 2 for a large first number, else whether most tokens are above 15."""
    random = np.random.default_rng(0)
    tokens, numbers = random.integers(0, 30, (400, LENGTH)), random.normal(size=(400, 4))
    mask = np.arange(LENGTH) < random.integers(3, LENGTH + 1, (400, 1))
    many = ((tokens > 15) & mask).sum(1) * 2 > mask.sum(1)
    inputs = {"tokens": tokens, "mask": mask, "numbers": numbers}
    targets = np.where(numbers[:, 0] > 0.5, 2, many).astype(np.int64)
    cuts = {"train": slice(0, 240), "validation": slice(240, 320), "test": slice(320, 400)}
    return {split: ({name: a[cut] for name, a in inputs.items()}, targets[cut]) for split, cut in cuts.items()}


WORKLOAD = Workload(
    name="several",
    model=Several,
    data=load,
    output="logits",
    dynamic={"tokens": 1, "mask": 1},
    training=TrainingPlan(epochs=2, batch_size=16, learning_rate=0.1),
)
