"""Discs and squares found pixel by pixel: a small network with a dense output, judged by the mean IoU."""

import numpy as np
import torch
from torch import nn

from runners.workload import Workload
from spaces.plans import TrainingPlan

SIDE = 32


def block(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())


class Segmenter(nn.Module):
    def __init__(self):
        super().__init__()
        self.fine, self.coarse = block(3, 16), block(16, 32)
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")
        self.head = nn.Conv2d(48, 3, 1)

    def forward(self, images):
        fine = self.fine(images)
        coarse = self.up(self.coarse(nn.functional.max_pool2d(fine, 2)))
        return {"out": self.head(torch.cat([fine, coarse], 1)), "coarse": coarse}


def load():
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    images = random.normal(0, 0.3, (320, 3, SIDE, SIDE)).astype(np.float32)
    masks = np.zeros((320, SIDE, SIDE), dtype=np.int64)
    for image, mask in zip(images, masks, strict=True):
        (row, other_row), (column, other_column) = random.integers(6, SIDE - 6, (2, 2))
        mask[(rows - row) ** 2 + (columns - column) ** 2 < 25] = 1
        mask[(abs(rows - other_row) < 5) & (abs(columns - other_column) < 5)] = 2
        image[0] += mask == 1
        image[1] += mask == 2
    cuts = {"train": slice(0, 200), "validation": slice(200, 260), "test": slice(260, 320)}
    return {name: (images[cut], masks[cut]) for name, cut in cuts.items()}


def mean_iou(outputs, targets):
    found = outputs.argmax(axis=1)
    pairs = [(found == number, targets == number) for number in range(3)]
    return float(np.mean([(mine & right).sum() / (mine | right).sum() for mine, right in pairs]))


WORKLOAD = Workload(
    name="segmentation",
    model=Segmenter,
    data=load,
    output="out",
    metric=mean_iou,
    training=TrainingPlan(epochs=4, batch_size=16, learning_rate=0.1),
)
