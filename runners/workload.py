"""What a person wants accelerated: a model, its data in three splits, and how its quality is measured."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from runners.metric import FRACTION, QualityMetric
from spaces.errors import RequestError
from spaces.plans import TrainingPlan

SPLITS = ("train", "validation", "test")


@runtime_checkable
class Split(Protocol):
    """One split of the data, read by index, so that it need not fit into memory."""

    def __len__(self) -> int:
        """Number of examples."""

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Inputs, float32 of shape ``(len(indices), *input_shape)``, and their targets."""

    def fingerprint(self) -> str:
        """A hash over everything in the split; different data, different hash."""


class ArraySplit:
    """Inputs ``(n, *input_shape)``, handed out as float32, and targets ``(n, ...)``.

    Raises:
        RequestError: The lengths differ, or an input is not finite.
    """

    def __init__(self, inputs: Any, targets: Any) -> None:
        self.inputs = np.asarray(inputs)
        self.targets = np.asarray(targets)
        if len(self.inputs) != len(self.targets):
            raise RequestError(f"{len(self.inputs)} inputs and {len(self.targets)} targets; give one target an input")
        if self.inputs.dtype.kind == "f" and not np.isfinite(self.inputs).all():
            raise RequestError("the inputs hold NaN or infinity; clean the data")

    def __len__(self) -> int:
        return len(self.inputs)

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Inputs as float32 and targets at ``indices``."""
        return self.inputs[indices].astype(np.float32, copy=False), self.targets[indices]

    def fingerprint(self) -> str:
        """SHA-256 over shapes, types and bytes of both arrays."""
        digest = hashlib.sha256()
        for array in (self.inputs, self.targets):
            digest.update(f"{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def accuracy(outputs: NDArray[Any], targets: NDArray[Any]) -> float:
    """Share of examples whose largest output is at the target: outputs ``(n, classes)``, targets ``(n,)``."""
    return float((outputs.argmax(axis=1) == targets).mean())


@dataclass(frozen=True)
class Workload:
    """The contract of a workload, built in or a user's own.

    Attributes:
        name: Short name; MLflow keeps one experiment for each.
        model: Makes the teacher: a ``torch.nn.Module`` from ``(n, *input_shape)`` to ``(n, outputs)``.
        data: Makes the splits ``train``, ``validation`` and ``test``, each a `Split`, a pair of arrays
            ``(inputs, targets)`` with inputs float32 of shape ``(n, *input_shape)``, or a map-style
            `torch.utils.data.Dataset`.
        metric: Quality from outputs ``(n, ...)`` and targets ``(n, ...)`` as arrays.
        loss: What training minimises, from output and target tensors; None is cross-entropy. A module is moved to
            the accelerator, where there is one; a function makes its tensors where its arguments are.
        training: How the teacher is trained, and every candidate too.
        pretrained: Whether ``model()`` comes with weights that must not be trained again.
        augment: Changes a training batch ``(n, *input_shape)`` at random, given a ``torch.Generator``; or None.
        serving_batch: Images per call when throughput is measured.
        higher_is_better: Whether more of the metric is better.
        metric_unit: The unit of the metric; a ``fraction`` is at most 1, and shown in percent.
        metric_label: The name of the metric in tables and figures; empty is that of its function.
    """

    name: str
    model: Callable[[], Any]
    data: Callable[[], Mapping[str, Any]]
    metric: Callable[[NDArray[Any], NDArray[Any]], float] = accuracy
    loss: Callable[[Any, Any], Any] | None = None
    training: TrainingPlan = field(default_factory=TrainingPlan)
    pretrained: bool = False
    augment: Callable[[Any, Any], Any] | None = None
    serving_batch: int = 32
    higher_is_better: bool = True
    metric_unit: str = FRACTION
    metric_label: str = ""

    @cached_property
    def splits(self) -> dict[str, Split]:
        """The three splits, loaded once.

        Raises:
            RequestError: A split is missing, empty, or not what the contract asks for.
        """
        given = self.data()
        missing = [name for name in SPLITS if name not in given]
        if missing:
            raise RequestError(f"data() gives no {missing[0]} split; it must give {', '.join(SPLITS)}")
        return {name: _as_split(name, given[name]) for name in SPLITS}

    def example(self) -> NDArray[Any]:
        """One input of the training split, shape ``(1, *input_shape)``."""
        return self.splits["train"].batch(np.array([0]))[0]

    @property
    def metric_name(self) -> str:
        """The label of the metric, or the name of its function."""
        return self.metric_label or getattr(self.metric, "__name__", "quality")

    @property
    def quality(self) -> QualityMetric:
        """How the metric is read; one without a name, as of a ``lambda``, is called quality."""
        name = "quality" if self.metric_name == "<lambda>" else self.metric_name
        return QualityMetric(name, self.higher_is_better, self.metric_unit)


def _as_split(name: str, given: Any) -> Split:
    if isinstance(given, Split):
        split: Split = given
    elif isinstance(given, tuple) and len(given) == 2:
        split = ArraySplit(*given)
    else:
        from runners.dataset_split import as_dataset_split  # imports torch

        dataset = as_dataset_split(given)
        if dataset is None:
            raise RequestError(
                f"the {name} split is {type(given).__name__}; give a pair of arrays (inputs, targets), or a dataset of "
                "PyTorch"
            )
        split = dataset
    if len(split) == 0:
        raise RequestError(f"the {name} split is empty; give at least one example")
    return split
