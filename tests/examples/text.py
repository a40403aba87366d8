"""Which of two moods a sentence has more words of: token ids and a mask into two classes, by a small transformer."""

import numpy as np
import torch
from torch import nn

from runners.workload import Workload
from spaces.plans import TrainingPlan

WORDS, LONGEST = 60, 20


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(WORDS, 32)
        self.places = nn.Embedding(LONGEST, 32)
        layer = nn.TransformerEncoderLayer(32, nhead=4, dim_feedforward=64, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 2)

    def forward(self, tokens, mask):
        read = self.words(tokens) + self.places(torch.arange(tokens.shape[1], device=tokens.device))
        read = self.encoder(read, src_key_padding_mask=~mask)
        mean = (read * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return {"logits": self.head(mean), "mean": mean}


def load():
    random = np.random.default_rng(0)
    tokens = random.integers(1, WORDS, (2400, LONGEST))
    mask = np.arange(LONGEST) < random.integers(5, LONGEST + 1, (2400, 1))
    moods = ((tokens > WORDS // 2) & mask).sum(1) * 2 > mask.sum(1)
    cuts = {"train": slice(0, 2000), "validation": slice(2000, 2200), "test": slice(2200, 2400)}
    inputs = {"tokens": np.where(mask, tokens, 0), "mask": mask}
    return {name: ({key: inputs[key][cut] for key in inputs}, moods[cut].astype(int)) for name, cut in cuts.items()}


WORKLOAD = Workload(
    name="text",
    model=Reader,
    data=load,
    output="logits",
    dynamic={"tokens": 1, "mask": 1},
    training=TrainingPlan(epochs=3, batch_size=16, optimiser="adamw", learning_rate=0.003),
)
