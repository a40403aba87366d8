"""The teacher is kept as it was trained, and counted as it is lowered."""

from dataclasses import replace
from pathlib import Path

import pytest

from runners.chains.chain import Chains
from runners.executors.local import LocalRunner
from spaces.space_document import make_space

SOURCE = """
import numpy as np
from torch import nn
from runners.workload import Workload
from spaces.plans import TrainingPlan


def model():
    wrap = nn.utils.parametrizations.KIND
    return nn.Sequential(wrap(nn.Conv1d(2, 8, 3, padding=1)), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))


def data():
    inputs = np.random.default_rng(0).normal(size=(90, 2, 8)).astype(np.float32)
    parts = dict(zip(("train", "validation", "test"), np.split(inputs, 3)))
    return {name: (part, np.arange(30) % 2) for name, part in parts.items()}


WORKLOAD = Workload("parametrised", model, data, training=TrainingPlan(epochs=1, batch_size=8))
"""


@pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm"])
def test_a_parametrised_teacher_is_counted_with_plain_weights(kind: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SOURCE.replace("KIND", kind))
    runner = LocalRunner(tmp_path / "store")
    environment, facts = runner.inspect(str(tmp_path / "mine.py"), {})
    chains = Chains(make_space({}, replace(environment, cpu_cores=1)), facts, str(tmp_path / "mine.py"), 0)
    runner.submit(chains.chain(chains.space.baseline())[0])
    ((_, outcome),) = runner.wait(1.0)
    assert outcome.failure is None
    assert outcome.result["macs"] == 8 * 8 * 2 * 3 + 64 * 2
    assert outcome.result["parameters"] == 8 * 2 * 3 + 8 + 64 * 2 + 2
