"""What of distillation, transfer and strategies a workload's own network does not allow is told before a search."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from torch import nn

from runners.executors.training_limits import find_training_limits, refuse_strategy
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
    assert found["transfer", True].startswith("the weights that the workload starts from")


def test_a_strategy_that_cannot_divide_the_network_is_a_limit_with_its_workers() -> None:
    choices = {"training_workers": [1, 2, 3], "training_strategy": ["data-parallel", "tensor-parallel"]}
    found = find_training_limits(PERCEPTRON, Environment(cpu_cores=4), choices)
    assert [limit.choices for limit in found] == [{"training_strategy": "tensor-parallel", "training_workers": 3}]
    assert "none that 3 workers can divide evenly" in found[0].reason
    assert not find_training_limits(PERCEPTRON, Environment(cpu_cores=4), {**choices, "training_workers": [2]})


@pytest.mark.parametrize(
    ("plan", "refused"),
    [
        (TrainingPlan(workers=3), r"workers is 3, which need a core each, and the machine that trains has 2"),
        (
            TrainingPlan(workers=2, strategy="tensor-parallel"),
            "strategy is 'tensor-parallel' with 2 workers, but it divid",
        ),
    ],
)
def test_a_plan_that_the_machine_or_the_network_cannot_carry_out_is_refused(plan: TrainingPlan, refused: str) -> None:
    machine = Environment(cpu_cores=2)
    with pytest.raises(RequestError, match=refused):
        refuse_strategy(replace(SYNTHETIC, training=plan), machine)
    refuse_strategy(replace(SYNTHETIC, training=replace(plan, workers=1)), machine)
    refuse_strategy(replace(PERCEPTRON, training=replace(plan, workers=2)), machine)
