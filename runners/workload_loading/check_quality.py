"""Checks of a workload's loss and metric: that they take its outputs and targets, and can tell networks apart."""

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from runners.quality.teacher_metric import judged_by_teacher
from runners.workload import UNLABELLED, Split, Workload, accuracy
from runners.workload_loading.split_overlap import spread
from runners.workload_loading.user_code import type_of, user_code
from spaces.errors import RequestError

TARGETS = 500
"""Examples whose targets are looked at, where the targets do not lie in memory, and for the metric."""
DRAWS = 4
"""Random outputs that a metric is tried on, at each of `SCALES`: two alone may be as good by chance."""
SCALES = (1.0, 100.0)

ONE_OUTPUT = "its model gives one output for each input"


def check_classes(workload: Workload, shape: torch.Size) -> None:
    """Refuse targets that cross-entropy cannot take: class numbers below the number of outputs, or shares of classes.

    Args:
        workload: One without a loss of its own.
        shape: That of the outputs.
    """
    if len(shape) < 2 or shape[1] < 2:
        raise RequestError(
            f"{ONE_OUTPUT}, and the default loss (cross-entropy) of one class is always 0; give a loss, such as "
            "torch.nn.BCEWithLogitsLoss() or torch.nn.MSELoss(), or make a model with an output for each class"
        )
    for name, split in workload.splits.items():
        if name == UNLABELLED or split.batch(np.array([0]))[1] is None:
            continue
        targets = all_targets(split)
        if targets.dtype.kind == "f" and targets.shape[1:] == tuple(shape[1:]):
            continue
        if targets.dtype != np.int64:
            problem = f"targets of the {name} split are {targets.dtype}; class numbers must be int64"
            raise RequestError(f"{problem}, and targets of another kind need a loss of their own")
        least, most = int(targets.min()), int(targets.max())
        if least < 0 or most >= shape[1]:
            raise RequestError(
                f"targets of the {name} split go from {least} to {most}, but its model has {shape[1]} outputs;"
                f" for {shape[1]} classes they go from 0 to {shape[1] - 1}",
            )


def check_loss(workload: Workload, outputs: Tensor, targets: NDArray[Any]) -> Tensor:
    """The loss of these outputs and targets: refused where it is not one finite number."""
    loss: Callable[[Any, Any], Any] = workload.loss or nn.functional.cross_entropy
    with (
        user_code(f"its loss on outputs {tuple(outputs.shape)} and targets {targets.shape}"),
        warnings.catch_warnings(),
    ):
        # torch only warns that it repeats a column of targets for every output, and trains on nonsense.
        warnings.filterwarnings("error", message="Using a target size", category=UserWarning)
        value = loss(outputs, torch.from_numpy(np.ascontiguousarray(targets)))
    if not isinstance(value, Tensor) or value.dim() != 0 or not torch.isfinite(value):
        shown = value.detach().tolist() if isinstance(value, Tensor) and value.numel() < 5 else type_of(value)
        raise RequestError(f"its loss gives {shown}; it must give a tensor that holds one finite number")
    return value


def check_metric(workload: Workload, shape: torch.Size) -> str | None:
    """Try the metric on outputs that are made up, for targets from all over the validation split.

    Two examples alone may lack a class. A metric that is the same for all of them cannot tell networks apart.

    Args:
        workload: Gives metric and targets.
        shape: That of the network's outputs.

    Returns:
        What a person should know: a metric that is 0 for all outputs may only be a hard one. None else.

    Raises:
        RequestError: It fails, gives no finite number, or always gives the same one.
    """
    targets = all_targets(workload.splits["validation"])
    targets = targets[spread(len(targets), TARGETS)]
    if workload.metric is accuracy:
        _check_accuracy(shape, targets)
    values = [_value(workload, outputs, targets) for outputs in _made_up(tuple(shape[1:]), targets)]
    if len(set(values)) > 1:
        return None
    told = f"its metric {workload.metric_name} gives {values[0]:g} for {len(values)} different made-up outputs"
    if values[0] != 0:
        raise RequestError(f"{told}; it must depend on the outputs, so that it can tell one network from another")
    return f"{told}; if it does not depend on the outputs, it cannot tell one network from another"


def check_teacher_metric(workload: Workload, outputs: Tensor) -> str:
    """Try the metric on the model's own ``outputs`` as targets, where there are no labels.

    Returns:
        What a person should know: what the quality is.

    Raises:
        RequestError: It fails, or gives no finite number.
    """
    judged, own = judged_by_teacher(workload, outputs.shape), outputs.numpy()
    _value(judged, own, own)
    said = {
        "agreement": "agreement, the share of examples whose largest output is where the model's own is",
        "closeness": "closeness to the model's own outputs, 1 less the relative error",
    }
    known = said.get(judged.metric_name) if judged is not workload else None
    return f"there are no labels: the quality is {known or 'the metric with the own outputs as targets'}"


def _check_accuracy(shape: torch.Size, targets: NDArray[Any]) -> None:
    """The default metric compares the place of the largest output with a class number."""
    asked = "give a metric of your own, metric(outputs, targets)"
    if len(shape) < 2 or shape[1] < 2:
        raise RequestError(
            f"{ONE_OUTPUT}, and the default metric (accuracy) takes the place of the largest output, which is then "
            f"always the first; {asked}, such as lambda outputs, targets: float(((outputs > 0) == targets).mean()) "
            "for a logit"
        )
    if targets.shape[1:] != tuple(shape[2:]):
        raise RequestError(
            f"targets {('n', *targets.shape[1:])} beside outputs {('n', *shape[1:])} are no class numbers, with which "
            f"the default metric (accuracy) compares; {asked}".replace("'", "")
        )
    if targets.dtype.kind == "f" and not (targets == np.round(targets)).all():
        raise RequestError(f"targets are no whole numbers, which the default metric (accuracy) compares with; {asked}")


def _made_up(shape: tuple[int, ...], targets: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Outputs of ``shape`` for each target: random ones, and perfect ones where it is plain what these are."""
    random = np.random.default_rng(0)
    for scale in SCALES:
        for _ in range(DRAWS):
            yield (scale * random.normal(size=(len(targets), *shape))).astype(np.float32)
    if targets.shape[1:] == shape:
        yield targets.astype(np.float32)
    elif targets.dtype.kind in "iu" and len(shape) == 1 and targets.ndim == 1 and targets.max() < shape[0]:
        yield np.eye(*shape, dtype=np.float32)[targets]


def _value(workload: Workload, outputs: NDArray[Any], targets: NDArray[Any]) -> float:
    with user_code(f"its metric {workload.metric_name}"):
        value = workload.metric(outputs, targets)
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not math.isfinite(value):
        shown = type_of(value) if isinstance(value, np.ndarray) else repr(value)
        raise RequestError(f"its metric {workload.metric_name} gives {shown}; it must give a finite number")
    if problem := workload.quality.impossible(float(value)):
        raise RequestError(f"its metric {workload.metric_name} gives {value:.4g} for made-up outputs; {problem}")
    return float(value)


def all_targets(split: Split) -> NDArray[Any]:
    """All targets where they lie in memory, else those of some hundred examples."""
    if hasattr(split, "targets"):
        return np.asarray(split.targets)
    return np.asarray(split.batch(spread(len(split), TARGETS))[1])
