"""The losses of single training examples, from which techniques take gradients."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from runners.training.loss import losses_of_examples
from runners.workloads.synthetic import WORKLOAD


def test_each_loss_is_that_of_one_training_example() -> None:
    torch.manual_seed(0)
    network, every = WORKLOAD.network().eval(), WORKLOAD.splits["train"]
    losses = list(losses_of_examples(WORKLOAD, 0, network, 1000))
    inputs, labels = every.batch(slice(None))
    expected = functional.cross_entropy(network(torch.from_numpy(inputs)), torch.from_numpy(labels), reduction="none")
    torch.testing.assert_close(torch.stack(losses), expected)


def test_they_have_gradients_and_the_seed_draws_them() -> None:
    network = WORKLOAD.network().eval()
    first, again, other = (torch.stack([*losses_of_examples(WORKLOAD, seed, network, 8)]) for seed in (0, 0, 1))
    assert first.requires_grad
    assert len(first) == 8
    assert first.equal(again)
    assert not first.equal(other)


def test_a_loss_of_ones_own_is_what_counts() -> None:
    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return outputs.sum() * 0 + 7

    own = replace(WORKLOAD, loss=loss)
    assert [one.item() for one in losses_of_examples(own, 0, own.network(), 2)] == [7, 7]


def test_of_a_loop_of_ones_own_the_loss_is_not_known() -> None:
    def fit(model: nn.Module, data: object, plan: object) -> nn.Module:
        return model

    assert not [*losses_of_examples(replace(WORKLOAD, fit=fit), 0, WORKLOAD.network(), 2)]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_without_training_examples_there_is_none(split: str) -> None:
    splits = {name: one for name, one in WORKLOAD.splits.items() if name != "train"}
    assert split in splits
    assert not [*losses_of_examples(replace(WORKLOAD, data=lambda: splits), 0, WORKLOAD.network(), 2)]
