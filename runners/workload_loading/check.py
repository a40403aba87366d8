"""The contract of a workload, checked before a search spends hours on one that breaks it."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from runners.workload import SPLITS, Split, Workload
from runners.workload_loading.split_overlap import shared_examples, spread
from runners.workload_loading.user_code import user_code
from spaces.errors import RequestError
from spaces.plans import TrainingPlan

EXAMPLES = 2
"""Examples on which the network and the metric are tried."""

TARGETS = 500
"""Examples whose targets are looked at, where the targets do not lie in memory, and for the metric."""


def check_contract(workload: Any) -> None:
    """Check a workload in seconds: its splits, its network on two examples, its metric, its loss, its augmentation.

    Raises:
        RequestError: One sentence on the first thing that is wrong.
    """
    if not isinstance(workload, Workload):
        raise RequestError(f"a workload must be a runners.workload.Workload, not {type(workload).__name__}")
    try:
        _check_fields(workload)
        _check_splits(workload)
        _check_repeatable(workload)
        inputs, targets = _first_examples(workload, "train")
        outputs = _check_network(workload, inputs)
        if workload.loss is None:
            _check_classes(workload, outputs.shape)
        _check_loss(workload, outputs, targets)
        _check_metric(workload, outputs)
        _check_augmentation(workload, inputs)
        for split in ("test", "validation"):
            _check_overlap(workload, split)
    except RequestError as error:
        raise RequestError(f"workload {workload.name}: {error}") from error


def _check_fields(workload: Workload) -> None:
    for name in ("model", "data", "metric"):
        if not callable(getattr(workload, name)):
            raise RequestError(f"{name} must be a function, not {type(getattr(workload, name)).__name__}")
    if not isinstance(workload.training, TrainingPlan):
        raise RequestError(f"training must be a TrainingPlan, not {type(workload.training).__name__}")
    if not isinstance(workload.name, str) or not workload.name.strip():
        raise RequestError(f"its name must be a word, not {workload.name!r}")


def _check_splits(workload: Workload) -> None:
    with user_code("loading its data"):
        splits = workload.splits
    shapes = {}
    for name in SPLITS:
        inputs, targets = _first_examples(workload, name)
        if not isinstance(inputs, np.ndarray) or inputs.dtype != np.float32:
            raise RequestError(f"inputs of the {name} split are {_type_of(inputs)}; they must be float32 arrays")
        expected = min(EXAMPLES, len(splits[name]))
        if len(inputs) != expected or len(targets) != expected:
            raise RequestError(
                f"the {name} split gives {len(inputs)} inputs and {len(targets)} targets for {expected} examples",
            )
        if not np.isfinite(inputs).all():
            raise RequestError(f"inputs of the {name} split hold NaN or infinity; clean the data")
        shapes[name] = inputs.shape[1:]
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise RequestError(f"its splits have inputs of different shapes ({listed}); make them the same")


def _check_repeatable(workload: Workload) -> None:
    """Every process loads the data for itself; a split drawn again in each would leak test data into training."""
    with user_code("loading its data again"):
        again = replace(workload).splits
    for name, split in workload.splits.items():
        some = spread(len(split), 8)
        pairs = zip(split.batch(some), again[name].batch(some), strict=True) if len(split) == len(again[name]) else None
        if pairs is None or not all(np.array_equal(first, second) for first, second in pairs):
            raise RequestError(f"data() gives another {name} split at each call; draw it with a fixed seed")


def _check_network(workload: Workload, inputs: NDArray[Any]) -> Tensor:
    with user_code("making its model"):
        network = workload.model()
    if not isinstance(network, nn.Module):
        raise RequestError(f"model() gives {_type_of(network)}; it must give a torch.nn.Module")
    with user_code(f"its model on inputs of shape {inputs.shape}"), torch.no_grad():
        outputs = network.eval()(torch.from_numpy(inputs))
    if not isinstance(outputs, Tensor):
        raise RequestError(f"its model answers with {_type_of(outputs)}; it must answer with one tensor")
    if outputs.dim() < 1 or outputs.shape[0] != len(inputs):
        raise RequestError(
            f"its model answers {len(inputs)} examples with shape {tuple(outputs.shape)}; the first must be the batch",
        )
    if not torch.isfinite(outputs).all():
        raise RequestError("its model answers with NaN or infinity; check its weights and the scale of the inputs")
    if workload.pretrained:
        _check_pretrained(workload, network)
    return outputs


def _check_pretrained(workload: Workload, network: nn.Module) -> None:
    from runners.lowering.weights import weights_digest

    with user_code("making its model again"):
        again = workload.model()
    if weights_digest(again) != weights_digest(network):
        raise RequestError(
            "it is pretrained, but model() gives other weights at each call; load the trained ones in it"
        )


def _check_classes(workload: Workload, shape: torch.Size) -> None:
    """Cross-entropy takes class numbers below the number of outputs, or shares of every class."""
    for name in SPLITS:
        targets = _targets(workload.splits[name])
        if targets.dtype.kind == "f" and targets.shape[1:] == tuple(shape[1:]):
            continue
        if targets.dtype != np.int64:
            problem = f"targets of the {name} split are {targets.dtype}; class numbers must be int64"
            raise RequestError(f"{problem}, and targets of another kind need a loss of their own")
        least, most = int(targets.min()), int(targets.max())
        if len(shape) < 2 or least < 0 or most >= shape[1]:
            outputs = shape[1] if len(shape) > 1 else 1
            raise RequestError(
                f"targets of the {name} split go from {least} to {most}, but its model has {outputs} outputs;"
                f" for {outputs} classes they go from 0 to {outputs - 1}",
            )


def _check_loss(workload: Workload, outputs: Tensor, targets: NDArray[Any]) -> None:
    loss: Callable[[Any, Any], Any] = workload.loss or nn.functional.cross_entropy
    with user_code(f"its loss on outputs {tuple(outputs.shape)} and targets {targets.shape}"):
        value = loss(outputs, torch.from_numpy(np.ascontiguousarray(targets)))
    if not isinstance(value, Tensor) or value.dim() != 0 or not torch.isfinite(value):
        shown = value.detach().tolist() if isinstance(value, Tensor) and value.numel() < 5 else _type_of(value)
        raise RequestError(f"its loss gives {shown}; it must give a tensor that holds one finite number")


def _check_metric(workload: Workload, outputs: Tensor) -> None:
    """On outputs that are made up, for targets from all over the split: two examples may lack a class."""
    targets = _targets(workload.splits["validation"])
    targets = targets[spread(len(targets), TARGETS)]
    made_up = np.random.default_rng(0).normal(size=(len(targets), *outputs.shape[1:])).astype(np.float32)
    with user_code(f"its metric {workload.metric_name}"):
        value = workload.metric(made_up, targets)
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not math.isfinite(value):
        shown = _type_of(value) if isinstance(value, np.ndarray) else repr(value)
        raise RequestError(f"its metric {workload.metric_name} gives {shown}; it must give a finite number")


def _check_augmentation(workload: Workload, inputs: NDArray[Any]) -> None:
    if workload.augment is None:
        return
    with user_code("its augmentation"):
        changed = workload.augment(torch.from_numpy(inputs.copy()), torch.Generator().manual_seed(0))
    if not isinstance(changed, Tensor) or changed.shape != inputs.shape:
        shape = tuple(changed.shape) if isinstance(changed, Tensor) else _type_of(changed)
        raise RequestError(f"its augmentation makes {shape} of inputs {inputs.shape}; it must keep the shape")


def _check_overlap(workload: Workload, name: str) -> None:
    """Examples that the model was trained on say little of its quality."""
    evaluated, train = workload.splits[name], workload.splits["train"]
    if evaluated is train:
        raise RequestError(f"its {name} split is its train split; keep them apart")
    shared, looked_for = shared_examples(evaluated, train)
    if shared > looked_for / 2:
        share = f"{shared} of {looked_for} examples"
        raise RequestError(f"{share} of its {name} split are in its train split too; keep them apart")


def _targets(split: Split) -> NDArray[Any]:
    """All targets where they lie in memory, else those of some hundred examples."""
    if hasattr(split, "targets"):
        return np.asarray(split.targets)
    return split.batch(spread(len(split), TARGETS))[1]


def _first_examples(workload: Workload, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    split = workload.splits[name]
    with user_code(f"reading its {name} split"):
        return split.batch(np.arange(min(EXAMPLES, len(split))))


def _type_of(value: Any) -> str:
    return f"an array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
