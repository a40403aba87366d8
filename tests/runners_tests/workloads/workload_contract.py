"""The contract of a workload as rules: each raises AssertionError, or RequestError, for a workload that breaks it."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from runners.lowering.weights import weights_digest
from runners.training.loop import train
from runners.training.settings import Level, TrainingSettings
from runners.workload import SPLITS, Workload
from runners.workload_loading.check import check_contract

Rule = Callable[[Workload], None]


def the_check_passes(workload: Workload) -> None:
    """All that is checked before a search holds."""
    check_contract(workload)


def the_name_can_be_a_study(workload: Workload) -> None:
    """A study is named after its workload."""
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,100}", workload.name), f"{workload.name!r} cannot be the name of a study"


def the_data_is_the_same_everywhere(workload: Workload) -> None:
    """Loading twice gives the same three splits to the last bit: every process loads for itself."""
    again = replace(workload)
    for name in SPLITS:
        same = workload.splits[name].fingerprint() == again.splits[name].fingerprint()
        assert same, f"the {name} split is another one each time"


def the_seed_decides_the_network(workload: Workload) -> None:
    """After the same seed, ``model()`` makes the same weights."""
    digests = []
    for _ in range(2):
        torch.manual_seed(3)
        digests.append(weights_digest(workload.model()))
    assert digests[0] == digests[1], "the same seed gives other weights"


def any_batch_can_be_read(workload: Workload) -> None:
    """Examples come by index, in any order and number, each the same wherever it stands in a batch."""
    for name in SPLITS:
        split = workload.splits[name]
        order = np.array([len(split) - 1, 0, 1])
        inputs, targets = split.batch(order)
        for place, index in enumerate(order):
            alone, target = split.batch(np.array([index]))
            assert np.array_equal(alone[0], inputs[place]), f"{name}: example {index} depends on its batch"
            assert np.array_equal(target[0], targets[place]), f"{name}: target {index} depends on its batch"


def it_trains(workload: Workload) -> None:
    """A step on some examples changes the weights and keeps them finite."""
    torch.manual_seed(0)
    some = workload.splits["train"].batch(np.arange(32))
    small = replace(workload, data=lambda: dict.fromkeys(SPLITS, some))
    network = workload.model()
    before = weights_digest(network)
    plan = replace(workload.training, epochs=1, batch_size=32)
    train(network, small, Level.whole(TrainingSettings(plan), seed=0))
    assert weights_digest(network) != before, "training changes nothing"
    assert all(torch.isfinite(tensor).all() for tensor in network.state_dict().values()), "training diverges"


RULES: tuple[Rule, ...] = (
    the_check_passes,
    the_name_can_be_a_study,
    the_data_is_the_same_everywhere,
    the_seed_decides_the_network,
    any_batch_can_be_read,
    it_trains,
)
