"""A training computes in bf16, and in fp32 where bf16 gives wrong gradients."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from runners.training.loop import train
from runners.training.number_format import in_sound_format
from runners.training.settings import Level, TrainingSettings
from runners.workload import Workload
from spaces.plans import TrainingPlan


def halving(convolutions: int) -> nn.Sequential:
    """A network that halves pictures of 8x8 so often; the fourth convolution gets one pixel."""
    widths = [3, *[8] * convolutions]
    layers = [nn.Conv2d(before, after, 3, stride=2, padding=1) for before, after in pairwise(widths)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))


def level(autocast: str) -> Level:
    return Level.whole(TrainingSettings(TrainingPlan(epochs=2, batch_size=16, learning_rate=0.01), autocast), seed=0)


@pytest.mark.parametrize(("convolutions", "found"), [(3, "bf16"), (4, "fp32")])
def test_a_stride_beyond_the_width_is_computed_in_fp32(convolutions: int, found: str) -> None:
    network = halving(convolutions)
    sound = in_sound_format(level("bf16"), network, lambda: (torch.zeros(2, 3, 8, 8),))
    assert sound.settings.autocast == found
    assert sound.epochs == range(2)


def test_no_weight_takes_what_lay_in_memory() -> None:
    random = np.random.default_rng(0)
    images, labels = random.random((64, 3, 8, 8), np.float32), random.integers(0, 2, 64)
    workload = Workload(
        name="pictures",
        model=lambda: halving(4),
        data=lambda: dict.fromkeys(("train", "validation", "test"), (images, labels)),
    )
    found = {}
    for autocast in ("fp32", "bf16"):
        torch.manual_seed(0)
        network = halving(4)
        leftovers = [torch.full((1 << 12,), float("nan")) for _ in range(500)]
        del leftovers  # the memory that gradients get
        found[autocast] = train(network, workload, level(autocast)).network
    for one, other in zip(found["fp32"].parameters(), found["bf16"].parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=0.1)
