"""Outputs of a teacher that are computed before a training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from runners_tests.small_workload import write_small_workload
from torch import nn

from runners.runner import StageFailed
from runners.training import soft_targets
from runners.training.loop import train
from runners.training.settings import Level, TrainingSettings
from runners.workload import Workload
from runners.workload_loading.reference import resolve
from spaces.plans import TrainingPlan

DISTILLED = {"distillation_weight": 0.7, "distillation_temperature": 4.0}


@pytest.fixture(scope="module")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Workload:
    return resolve(write_small_workload(tmp_path_factory.mktemp("workload")))


def network(workload: Workload, seed: int) -> nn.Module:
    """One with new weights, as a training is given it."""
    torch.manual_seed(seed)
    return workload.model().eval().to(memory_format=torch.channels_last)


def level(workload: Workload, autocast: str = "fp32", **choices: Any) -> Level:
    plan = replace(workload.training, **{**DISTILLED, **choices})
    return Level(TrainingSettings(plan, autocast), range(1, 3), seed=5)


def outputs_of(workload: Workload, teacher: nn.Module, given: Level) -> torch.Tensor | None:
    """What it gives for the batches, by a plan that has nothing of the training's own but what decides the batches."""
    plan = given.settings.plan
    same = replace(given.settings, plan=TrainingPlan(batch_size=plan.batch_size, mixup=plan.mixup))
    return soft_targets.soft_targets(workload, replace(given, settings=same), teacher)


@pytest.mark.parametrize(
    "choices",
    [{}, {"mixup": 0.2, "accumulation": 3, "optimiser": "adamw", "learning_rate": 0.01}, {"autocast": "bf16"}],
    ids=["plain", "mixed and in parts", "bf16"],
)
def test_a_training_learns_from_them_as_from_the_teacher_itself(
    workload: Workload, tmp_path: Path, choices: dict[str, Any]
) -> None:
    given, teacher = level(workload, **choices), network(workload, 1)
    outputs = outputs_of(workload, teacher, given)
    assert outputs is not None
    soft_targets.write_soft_targets(outputs, tmp_path)
    asked = train(network(workload, 2), workload, given, teacher=teacher).network
    kept = soft_targets.read_soft_targets(tmp_path)
    read = train(network(workload, 2), workload, given, soft_targets=kept).network
    without = level(workload, **{**choices, "distillation_weight": 0.0})
    labels_alone = train(network(workload, 2), workload, without).network
    for name, expected in asked.state_dict().items():
        torch.testing.assert_close(read.state_dict()[name], expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(labels_alone.state_dict()["9.weight"], asked.state_dict()["9.weight"], atol=1e-3)


def test_they_are_not_kept_where_they_are_large(workload: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    given, teacher = level(workload), network(workload, 1)
    outputs = outputs_of(workload, teacher, given)
    assert outputs is not None
    for largest, kept in ((outputs.nbytes, True), (outputs.nbytes - 1, False)):
        monkeypatch.setattr(soft_targets, "LARGEST_BYTES", largest)
        assert (outputs_of(workload, teacher, given) is not None) == kept


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / soft_targets.OUTPUTS).write_bytes(b"torn")
    with pytest.raises(StageFailed, match=r"^the teacher's outputs in .* cannot be read"):
        soft_targets.read_soft_targets(tmp_path)
