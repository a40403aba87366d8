"""Freezing and learning rates by depth: what is trained, how fast, and that nothing of it stays behind."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from runners_tests.whole_share import whole_share
from torch import nn

from runners.training.loop import train
from runners.training.optimiser import make_optimiser
from runners.training.schedule import make_schedule
from runners.training.settings import Level, TrainingSettings
from runners.training.trained_part import trained_part
from runners.workload import Workload
from runners.workloads.synthetic import make_splits
from spaces.plans import TrainingPlan

PLAN = TrainingPlan(epochs=1, batch_size=80, learning_rate=0.1)


def make_network() -> nn.Module:
    """Three blocks: two convolutions with normalisations, and a head."""
    first, second = nn.Conv2d(1, 8, 3, 2, bias=False), nn.Conv2d(8, 8, 3, bias=False)
    body = first, nn.BatchNorm2d(8), nn.ReLU(), second, nn.BatchNorm2d(8), nn.ReLU()
    return nn.Sequential(*body, nn.Flatten(), nn.Linear(8, 4))


WORKLOAD = Workload("small", make_network, make_splits, training=PLAN)


def changed(**choices: Any) -> set[str]:
    """The names of the tensors that a training of one epoch changes."""
    network = make_network()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    train(network, WORKLOAD, Level.whole(TrainingSettings(replace(PLAN, **choices)), 0))
    assert all(parameter.requires_grad for parameter in network.parameters()), "nothing stays frozen"
    return {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}


def test_all_is_trained_unless_the_plan_says_less() -> None:
    assert changed() == set(make_network().state_dict())


@pytest.mark.parametrize(("share", "first"), [(0.0, 7), (0.3, 7), (0.5, 3), (0.7, 3)])
def test_frozen_blocks_keep_weights_and_statistics(share: float, first: int) -> None:
    names = changed(trainable=share)
    assert names == {name for name in make_network().state_dict() if int(name.partition(".")[0]) >= first}


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
@pytest.mark.parametrize("schedule", ["one-cycle", "cosine"])
def test_each_block_learns_slower_than_the_one_behind_it(optimiser: str, schedule: str) -> None:
    plan = replace(PLAN, optimiser=optimiser, schedule=schedule, layer_decay=0.5)
    network = make_network()
    with trained_part(network, plan, lambda: (torch.zeros(2, 1, 8, 8),)) as rates:
        made = make_optimiser(whole_share(network), plan, {}, {f"network.{name}": rate for name, rate in rates.items()})
        make_schedule(made, plan, 10, 0)
    found = {id(parameter): group["lr"] for group in made.param_groups for parameter in group["params"]}
    own = dict(network.named_parameters())
    head = found[id(own["7.weight"])]
    assert found[id(own["3.weight"])] == pytest.approx(head / 2)
    assert found[id(own["4.bias"])] == pytest.approx(head / 2)
    assert found[id(own["0.weight"])] == pytest.approx(head / 4)


def test_what_was_frozen_before_stays_so() -> None:
    network = make_network()
    network[3].requires_grad_(False)
    with trained_part(network, replace(PLAN, trainable=0.5), lambda: (torch.zeros(2, 1, 8, 8),)):
        assert [p.requires_grad for p in network.parameters()] == [False, False, False, False, True, True, True, True]
    assert [p.requires_grad for p in network.parameters()] == [True, True, True, False, True, True, True, True]
