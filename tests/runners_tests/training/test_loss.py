"""The loss of a training: labels and soft targets."""

from dataclasses import replace

import torch
from torch import Tensor

from runners.training.batches import Batch
from runners.training.loss import training_loss
from runners.workloads.synthetic import WORKLOAD
from spaces.plans import TrainingPlan

PLAN = TrainingPlan(distillation_weight=0.7, distillation_temperature=3.0)


def test_soft_targets_weigh_the_same_beside_the_labels_of_dense_outputs() -> None:
    """The loss of (n, classes, height, width) is that of all positions as (n * height * width, classes)."""
    generator = torch.Generator().manual_seed(0)
    outputs, soft = (torch.randn(4, 3, 5, 6, generator=generator) for _ in range(2))
    labels = torch.randint(3, (4, 5, 6), generator=generator)

    def rows(images: Tensor) -> Tensor:
        return images.movedim(1, -1).reshape(-1, 3)

    dense = training_loss(WORKLOAD, PLAN, outputs, Batch((), labels), soft)
    flat = training_loss(WORKLOAD, PLAN, rows(outputs), Batch((), labels.reshape(-1)), rows(soft))
    torch.testing.assert_close(dense, flat)


def test_a_loss_of_the_users_own_gives_the_same_training_at_every_temperature() -> None:
    own = replace(WORKLOAD, loss=torch.nn.functional.mse_loss)
    outputs, targets, soft = torch.randn(3, 8, 2, generator=torch.Generator().manual_seed(0)).unbind()
    warm, cold = (replace(PLAN, distillation_temperature=value) for value in (1.0, 8.0))
    batch = Batch((), targets)
    assert torch.equal(training_loss(own, warm, outputs, batch, soft), training_loss(own, cold, outputs, batch, soft))


def test_smoothed_labels_are_the_shares_of_the_classes() -> None:
    outputs, labels = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3, 0])
    shares = 0.9 * torch.nn.functional.one_hot(labels, 4) + 0.1 / 4
    smoothed = training_loss(WORKLOAD, TrainingPlan(label_smoothing=0.1), outputs, Batch((), labels), None)
    torch.testing.assert_close(smoothed, training_loss(WORKLOAD, TrainingPlan(), outputs, Batch((), shares), None))


def test_of_mixed_examples_the_loss_is_that_of_the_mixed_labels() -> None:
    outputs, labels = torch.randn(4, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3])
    one_hot = torch.nn.functional.one_hot(labels, 4).float()
    mixed = training_loss(WORKLOAD, TrainingPlan(), outputs, Batch((), labels, labels.roll(1), 0.3), None)
    shares = Batch((), 0.3 * one_hot + 0.7 * one_hot.roll(1, 0))
    torch.testing.assert_close(mixed, training_loss(WORKLOAD, TrainingPlan(), outputs, shares, None))


def test_what_has_no_label_counts_for_the_soft_targets_alone() -> None:
    outputs, soft = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0)).unbind()
    batch = Batch((), torch.tensor([0, 1, 2]))
    labels_alone = replace(PLAN, distillation_weight=0.0)
    hard = training_loss(WORKLOAD, labels_alone, outputs, batch, soft)
    torch.testing.assert_close(hard, training_loss(WORKLOAD, labels_alone, outputs[:3], batch, None))
    taught = replace(PLAN, distillation_weight=1.0)
    mean = (training_loss(WORKLOAD, taught, *((outputs[part], batch, soft[part]))) for part in (slice(3), slice(3, 6)))
    torch.testing.assert_close(training_loss(WORKLOAD, taught, outputs, batch, soft), sum(mean) / 2)
