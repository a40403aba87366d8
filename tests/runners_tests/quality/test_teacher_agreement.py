"""Without labels the teacher's own outputs are what an artifact is compared with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from runners.quality import teacher_agreement
from runners.quality.quality import evaluate, quality, teacher_outputs
from runners.quality.teacher_agreement import compare_with_teacher, keep_outputs, kept_outputs
from runners.quality.teacher_metric import agreement, closeness, judged_by_teacher
from runners.workload import Workload

SCORES = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)


def unlabelled(outputs: int) -> Workload:
    def network() -> nn.Module:
        torch.manual_seed(3)
        return nn.Linear(6, outputs)

    examples = np.random.default_rng(1).normal(size=(60, 6)).astype(np.float32)
    return Workload("unlabelled", network, lambda: {"validation": examples}, pretrained=True)


def test_class_scores_agree_where_the_largest_output_is_at_the_same_place() -> None:
    other = SCORES.copy()
    other[:30] = -other[:30]
    share = float((other.argmax(1) == SCORES.argmax(1)).mean())
    assert agreement(other, SCORES) == share == pytest.approx(0.85)
    compared = compare_with_teacher(unlabelled(5), other, SCORES)
    found = quality(compared.workload, compared.outputs, compared.targets)
    assert found.value == share
    assert found.ci95[0] < share < found.ci95[1]
    assert found.answers is not None
    assert found.answers.kind == "correct"


def test_the_closeness_of_other_outputs_is_one_less_the_relative_error() -> None:
    maps = SCORES.reshape(40, 5, 5)
    assert closeness(maps, maps) == 1.0
    assert closeness(0 * maps, maps) == 0.0
    assert closeness(1.1 * maps, maps) == pytest.approx(0.9)
    assert closeness(-maps, maps) == pytest.approx(-1.0)
    assert closeness(0 * maps, 0 * maps) == 1.0
    compared = compare_with_teacher(unlabelled(1), 1.1 * maps, maps)
    assert compared.outputs.shape == (40, 2)
    assert quality(compared.workload, compared.outputs, compared.targets).value == pytest.approx(0.9)


def test_the_metric_follows_from_the_outputs_unless_the_workload_brings_its_own() -> None:
    workload = unlabelled(5)
    assert judged_by_teacher(workload, (8, 10)).quality.name == "agreement"
    for shape in ((8, 1), (8,), (8, 3, 4, 4)):
        assert judged_by_teacher(workload, shape).metric is closeness
    own = replace(workload, metric=closeness)
    assert judged_by_teacher(own, (8, 10)) is own


@pytest.mark.parametrize("outputs", [5, 1])
def test_the_teacher_itself_is_perfect_and_another_network_is_not(outputs: int) -> None:
    workload = unlabelled(outputs)

    def artifact(scale: float):  # type: ignore[no-untyped-def]
        network = workload.model()
        with torch.no_grad():
            network.weight[:, :3] *= scale
        return lambda inputs: network(torch.from_numpy(inputs)).detach().numpy()

    assert evaluate(artifact(1.0), workload, ("validation",)).accuracy == pytest.approx(1.0)
    assert evaluate(artifact(-1.0), workload, ("validation", "train")).accuracy < 0.9


def test_outputs_that_the_teachers_stage_kept_are_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload = unlabelled(5)
    keep_outputs(tmp_path, {"validation": teacher_outputs(workload, "validation", 1)})
    monkeypatch.setattr("runners.quality.quality.make_teacher", None)
    network = workload.model()
    found = evaluate(
        lambda inputs: network(torch.from_numpy(inputs)).detach().numpy(), workload, ("validation",), tmp_path
    )
    assert found.accuracy == 1.0
    assert kept_outputs(tmp_path, "test") is None


def test_many_outputs_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher_agreement, "MOST_KEPT", 100)
    keep_outputs(tmp_path, {"validation": SCORES})
    assert kept_outputs(tmp_path, "validation") is None
