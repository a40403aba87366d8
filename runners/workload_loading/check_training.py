"""One training step of a workload, tried before a search: a network may act otherwise while it is trained."""

from collections.abc import Sized
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from runners.inputs import augmented, read
from runners.judged_output import outputs_text
from runners.workload import Workload
from runners.workload_loading.check_quality import check_loss
from runners.workload_loading.user_code import user_code
from spaces.errors import RequestError

STEP_EXAMPLES = 4
"""Examples of the step at most. Shapes and losses are as wrong with four as with a whole batch; only batch
normalisation asks how many there are, and is content with two."""
FIRST_STEP = 1 / 25
"""The learning rate of the first step of the one-cycle schedule, as a share of its peak."""


def check_training_step(workload: Workload, shape: torch.Size) -> None:
    """Try one step on a new network: the batch as it is trained on, the loss, its gradients, the optimiser.

    Args:
        workload: Its data, network in evaluation, loss and augmentation are known to be sound.
        shape: That of the outputs when evaluated, ``(n, ...)``.

    Raises:
        RequestError: The step fails, the outputs have another shape while training, the loss depends on no weight, or
            weights are not finite after it.
    """
    with user_code("making its model"):
        network: nn.Module = workload.network()
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if trainable:
        _step(workload, network, trainable, tuple(shape[1:]))
    elif not workload.pretrained:
        raise RequestError(
            "none of its model's parameters can be trained; leave requires_grad on, or load trained weights in model() "
            "and say pretrained=True"
        )


def _step(workload: Workload, network: nn.Module, trainable: list[nn.Parameter], shape: tuple[int, ...]) -> None:
    inputs, targets = _batch(workload)
    outputs = _outputs(workload, network.train(), inputs)
    if tuple(outputs.shape) != (len(targets), *shape):
        raise RequestError(
            f"while it is trained, its model answers {len(targets)} examples with shape {tuple(outputs.shape)}, and "
            f"when evaluated with {(len(targets), *shape)}; make them the same"
        )
    loss = check_loss(workload, outputs.float(), targets)
    optimiser = torch.optim.SGD(trainable, lr=workload.training.learning_rate * FIRST_STEP)
    if loss.requires_grad:
        with user_code("the gradients of its loss"):
            loss.backward()  # type: ignore[no-untyped-call]
    if all(parameter.grad is None or not parameter.grad.any() for parameter in trainable):
        raise RequestError(
            "its loss depends on no weight of its model (no gradient reaches one), so nothing can be learnt; compute "
            "it from the outputs with torch's functions"
        )
    optimiser.step()
    if not all(parameter.isfinite().all() for parameter in trainable):
        raise RequestError("one training step makes its weights NaN or infinite; lower the learning rate")


def _batch(workload: Workload) -> tuple[tuple[Tensor, ...], NDArray[Any]]:
    """The first examples of the training split, augmented, as many as are computed at once, up to a few."""
    plan, split = workload.training, workload.splits["train"]
    share = max(1, min(plan.batch_size, len(split)) // plan.batch_shares // plan.accumulation)
    inputs, targets = read(split, np.arange(min(share, STEP_EXAMPLES)))
    given = tuple(torch.from_numpy(np.array(array)) for array in inputs)
    if workload.augment is not None:
        with user_code("its augmentation"):
            given = augmented(workload.augment, given, torch.Generator().manual_seed(0))
    return given, targets


def _outputs(workload: Workload, network: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    alone = len(inputs[0]) == 1 and any(isinstance(layer, _BatchNorm) for layer in network.modules())
    advice = f" (batch normalisation needs two examples or more, and a batch has {_why_one(workload)})" if alone else ""
    shapes = " and ".join(str(tuple(each.shape)) for each in inputs)
    with user_code(f"its model in training mode on inputs of shape {shapes}{advice}"):
        outputs = network(*inputs)
    if not isinstance(outputs, Tensor):
        raise RequestError(
            f"while it is trained, its model answers with {outputs_text(outputs)}; it must answer with one tensor, as "
            "when it is evaluated, or output= of the Workload must pick one in both"
        )
    return outputs


def _why_one(workload: Workload) -> str:
    plan, train = workload.training, workload.splits["train"]
    assert isinstance(train, Sized)
    if len(train) == 1:
        return "the one example of the train split"
    workers = f" for {plan.workers} workers" if plan.workers > 1 else ""
    parts = f" in {plan.accumulation} parts (accumulation)" if plan.accumulation > 1 else ""
    return f"one of its own: the training plan's batch_size is {plan.batch_size}{workers}{parts}"
