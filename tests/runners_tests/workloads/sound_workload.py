"""A small workload that keeps the contract, and its parts, for tests that break one of them."""

from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from runners.workload import Workload


def inputs(count: int, first: int = 0, side: int = 4) -> Any:
    """``count`` different images of one channel."""
    return np.random.default_rng(first).normal(size=(count, 1, side, side)).astype(np.float32)


def targets(count: int) -> Any:
    return np.arange(count) % 3


def data() -> dict[str, Any]:
    return {name: (inputs(9, first), targets(9)) for first, name in enumerate(("train", "validation", "test"))}


def network(outputs: int = 3) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, outputs))


SOUND = Workload("sound", network, data)


def with_data(**splits: Any) -> Workload:
    """The sound workload with some splits replaced."""
    return replace(SOUND, data=lambda: {**data(), **splits})


def fails(*_: Any) -> Any:
    raise ZeroDivisionError("no\nluck")
