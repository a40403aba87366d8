"""What of distillation and transfer a workload's own network does not allow is told before a search."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from torch import nn

from runners.executors.training_limits import find_training_limits
from runners.workload import Workload
from runners.workloads import synthetic
from spaces.environment import Environment
from spaces.errors import RequestError
from spaces.plans import TrainingPlan


def perceptron() -> nn.Module:
    """A fully connected network on the pixels of synthetic."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4))


SYNTHETIC = synthetic.WORKLOAD
PERCEPTRON = replace(SYNTHETIC, model=perceptron)


def limits(workload: Workload, choices: Mapping[str, Any] | None) -> dict[tuple[str, Any], str]:
    found = find_training_limits(workload, Environment(), choices)
    return {next(iter(limit.choices.items())): limit.reason for limit in found}


def test_a_convolutional_network_allows_every_method_and_a_perceptron_no_attention() -> None:
    assert not limits(SYNTHETIC, None)
    found = limits(PERCEPTRON, None)
    assert set(found) == {("distillation_method", "attention")}
    assert "no feature maps" in found["distillation_method", "attention"]


def test_only_what_the_search_names_is_looked_at() -> None:
    assert not limits(PERCEPTRON, {"student_width": [0.5]})
    assert not limits(PERCEPTRON, {"distillation_method": ["features", "relations"]})
    with pytest.raises(RequestError, match="distillation_method cannot be 'hints'; allowed is one of soft"):
        limits(PERCEPTRON, {"distillation_method": ["hints"]})


def test_relations_need_two_examples_at_once() -> None:
    one_by_one = replace(SYNTHETIC, training=TrainingPlan(batch_size=16, accumulation=16))
    assert "one is computed at a time" in limits(one_by_one, None)["distillation_method", "relations"]


def test_a_width_that_leaves_the_network_as_it_is_makes_no_assistant() -> None:
    narrow = replace(SYNTHETIC, model=lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 4)))
    assert ("distillation_assistant", 0.5) in limits(narrow, {"distillation_assistant": [0, 0.5]})
    assert not limits(SYNTHETIC, {"distillation_assistant": [0, 0.5]})


def test_there_is_no_transfer_of_a_network_that_is_not_trained_here() -> None:
    found = limits(replace(SYNTHETIC, pretrained=True), None)
    assert found["transfer", True].startswith("the workload says pretrained")
