"""What training minimises: the loss on labels and, with distillation, on the teacher's soft targets."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from runners.inputs import network_batch, read
from runners.training.batches import Batch
from runners.workload import Workload
from spaces.plans import TrainingPlan

EXIT_WEIGHT = 0.5
"""What the loss of each early exit counts where that of the last output counts 1."""


def training_loss(workload: Workload, plan: TrainingPlan, outputs: Tensor, batch: Batch, soft: Tensor | None) -> Tensor:
    """The loss of a batch on its labels, and its weighted mean with the distance to soft targets if there are any.

    The distance is the Kullback-Leibler divergence at the plan's temperature (Hinton et al., arXiv 1503.02531). Where
    the workload brings a loss of its own it is the mean squared difference of the outputs, which has no temperature.

    Args:
        workload: Its loss, or cross-entropy.
        plan: The weight and the temperature of the soft targets, and the label smoothing of cross-entropy.
        outputs: Of the network, ``(n, classes, ...)``, those for the inputs without targets behind the others.
        batch: Its targets: labels ``(n, ...)``, or what the workload's loss takes.
        soft: Outputs of the teacher, of the shape of ``outputs``; None without distillation.
    """
    weight, temperature = plan.distillation_weight, plan.distillation_temperature
    hard = _hard_loss(workload, plan, outputs[: len(batch)], batch)
    if soft is None:
        return hard
    if workload.loss is not None:
        return (1 - weight) * hard + weight * functional.mse_loss(outputs, soft.float())
    divergence = functional.kl_div(
        functional.log_softmax(outputs / temperature, dim=1),
        functional.log_softmax(soft.float() / temperature, dim=1),
        reduction="none",
        log_target=True,
    )
    # Summed over the classes and averaged over images and positions, as cross-entropy is.
    matched = divergence.sum(dim=1).mean()
    # The gradients of soft targets shrink with the square of the temperature (Hinton et al., section 2).
    return (1 - weight) * hard + weight * temperature**2 * matched


def with_exits(losses: Sequence[Tensor]) -> Tensor:
    """The weighted mean of the loss of the last output, which is the first of ``losses``, and of those of exits.

    Each exit counts `EXIT_WEIGHT` of the last output (Teerapittayanon et al., arXiv 1709.01686, equation 1).
    """
    last, *early = losses
    if not early:
        return last
    return (last + EXIT_WEIGHT * torch.stack(early).sum()) / (1 + EXIT_WEIGHT * len(early))


def losses_of_examples(workload: Workload, seed: int, network: nn.Module, count: int) -> Iterator[Tensor]:
    """The loss of ``network`` on each of as many examples of the training split, drawn with ``seed``.

    There are fewer where the split has fewer. There are none where it has no labels, or where the workload trains by a
    loop of its own and does not say by which loss.

    Args:
        workload: Its loss, or cross-entropy.
        seed: Draws the examples.
        network: On the CPU.
        count: How many.
    """
    if workload.cannot_train or (workload.fit is not None and workload.loss is None):
        return
    split = workload.splits["train"]
    for place in np.sort(np.random.default_rng(seed).permutation(len(split))[:count]):
        inputs, targets = read(split, np.array([place]))
        tensors = tuple(torch.from_numpy(network_batch(each)) for each in inputs)
        batch = Batch(tensors, torch.from_numpy(np.ascontiguousarray(targets)))
        yield training_loss(workload, TrainingPlan(), network(*tensors), batch, None)


def _hard_loss(workload: Workload, plan: TrainingPlan, outputs: Tensor, batch: Batch) -> Tensor:
    """The loss on the labels; of mixed examples the mean of those on either label, weighted as they are mixed."""
    own = _loss(workload, plan, outputs, batch.targets)
    if batch.others is None:
        return own
    return batch.share * own + (1 - batch.share) * _loss(workload, plan, outputs, batch.others)


def _loss(workload: Workload, plan: TrainingPlan, outputs: Tensor, targets: Tensor) -> Tensor:
    if workload.loss is None:
        return functional.cross_entropy(outputs, targets, label_smoothing=plan.label_smoothing)
    loss: Tensor = workload.loss(outputs, targets)
    return loss
