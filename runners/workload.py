"""What a person wants accelerated: a model, its data in splits, and how its quality is measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from inspect import Parameter, signature
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from runners.array_split import ArraySplit
from runners.held_out import hold_out
from runners.inputs import Arrays, ExampleInputs, as_arrays, input_names, keywords, read, without_target
from runners.judged_output import Output
from runners.metric import FRACTION, QualityMetric
from spaces.errors import RequestError
from spaces.plans import TrainingPlan

SPLITS = ("train", "validation", "test")
UNLABELLED = "unlabelled"
"""The split of further inputs that candidates are distilled on beside the training split; its targets are not read."""
CALIBRATION = "calibration"
"""The split that int8 is calibrated on; without it the training split is taken, or a part of the validation split."""
LOOKED_AT = 32
"""Examples among which one of median size is looked for, where sizes may differ."""


@runtime_checkable
class Split(Protocol):
    """One split of the data, read by index, so that it need not fit into memory."""

    def __len__(self) -> int:
        """Number of examples."""

    def batch(self, indices: NDArray[np.int64]) -> tuple[Any, Any]:
        """Inputs ``(len(indices), *input_shape)`` and their targets ``(len(indices), ...)``; None without labels.

        Several inputs are a tuple of arrays in the order of the network's arguments, or a dict by argument name, always
        in the same order. Floating numbers reach the network as float32, whole numbers as int64 (uint8 as float32), and
        bool as bool.
        """

    def fingerprint(self) -> str:
        """A hash over everything in the split; different data, different hash."""


def accuracy(outputs: NDArray[Any], targets: NDArray[Any]) -> float:
    """Share of examples whose largest output is at the target: outputs ``(n, classes)``, targets ``(n,)``."""
    return float((outputs.argmax(axis=1) == targets).mean())


@dataclass(frozen=True)
class Workload:
    """The contract of a workload, built in or a user's own.

    Attributes:
        name: Short name; MLflow keeps one experiment for each.
        model: Makes the teacher: a ``torch.nn.Module`` from ``(n, *input_shape)`` to ``(n, outputs)``; with several
            inputs it is called with all of them.
        data: Makes the splits ``validation``, and as it likes ``train``, ``test``, ``calibration`` and ``unlabelled``
            (inputs on which candidates learn from their teacher, and nothing is judged), each a `Split`, a pair
            ``(inputs, targets)``, inputs alone, or a map-style `torch.utils.data.Dataset`. Inputs are an array
            ``(n, *input_shape)``, or several as a tuple in the order of the model's arguments or as a dict by argument
            name. Several inputs alone are a dict, since a tuple of two is inputs and targets; what the dict has under
            one of `runners.inputs.TARGET_KEYS`, such as ``labels``, is the targets. Without labels the quality is the
            agreement with the teacher's own outputs; without labelled training data nothing is trained, and the model
            has to be pretrained.
        metric: Quality from outputs ``(n, ...)`` and targets ``(n, ...)`` as arrays.
        loss: What training minimises, from output and target tensors; None is cross-entropy. A module is moved to
            the accelerator, where there is one; a function makes its tensors where its arguments are.
        training: How the teacher is trained, and every candidate too.
        pretrained: Whether ``model()`` comes with weights that must not be trained again.
        augment: Changes a training batch ``(n, *input_shape)`` at random, given a ``torch.Generator``; or None. Of a
            model with several inputs it takes and gives the tuple of them.
        serving_batch: Images per call when throughput is measured.
        higher_is_better: Whether more of the metric is better.
        metric_unit: The unit of the metric; a ``fraction`` is at most 1, and shown in percent.
        metric_label: The name of the metric in tables and figures; empty is that of its function.
        output: Which of the model's outputs is judged, where it gives more than one tensor: a key or attribute such as
            ``"logits"``, an index, or a function of the outputs.
        fit: Trains in place of the loop here: ``fit(model, data, plan, teacher)``, or without the teacher; ``plan`` is
            a `runners.training.own_loop.FitPlan`. It changes the model in place, and may return a dict of tensors,
            which its next call gets as ``plan.state``.
        fit_obeys_epochs: Whether ``fit`` trains just ``plan.epochs`` and goes on from ``plan.state``, so that a
            training in two calls gives the weights of one in one call. Otherwise no training is stopped early.
        dynamic: For inputs by name, the dimension beside the batch whose size may differ between calls, such as
            ``{"tokens": 1}`` for the length of a sequence. The only input of a model is named ``input``.
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
    output: Output = None
    fit: Callable[..., Any] | None = None
    fit_obeys_epochs: bool = False
    dynamic: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def splits(self) -> dict[str, Split]:
        """The splits that the data have, loaded once.

        Without training and calibration data, a part of the validation split is held out as ``calibration``.

        Raises:
            RequestError: The validation split is missing, or a split is empty or not what the contract asks for.
        """
        given = {name: split for name, split in self.data().items() if split is not None}
        if "validation" not in given:
            raise RequestError(
                f"data() gives no validation split, only {', '.join(given) or 'nothing'}; it must give validation, and "
                f"may give train, test, {CALIBRATION} and {UNLABELLED}"
            )
        splits = {name: _as_split(name, given[name]) for name in (*SPLITS, CALIBRATION, UNLABELLED) if name in given}
        if splits.keys().isdisjoint({"train", CALIBRATION}):
            splits["validation"], splits[CALIBRATION] = hold_out(splits["validation"])
        return splits

    @cached_property
    def labelled(self) -> bool:
        """Whether the validation split has targets."""
        return _has_targets(self.splits["validation"])

    @cached_property
    def cannot_train(self) -> str:
        """Why nothing can be trained on the data, or the model cannot be, or an empty string."""
        if fixed := getattr(self.model, "cannot_train", ""):  # as of `runners.models.program_file.ProgramFile`
            return str(fixed)
        if "train" not in self.splits:
            return "the data have no train split to train on"
        return "" if _has_targets(self.splits["train"]) else "the train split has no labels to train on"

    def network(self) -> Any:
        """A new network as it is trained, lowered and timed: positional tensors in, the tensor that is judged out.

        It is what ``model()`` gives where inputs have no names and no output is chosen.
        """
        from runners.judged_network import judged

        return judged(self.model(), self.keywords, self.output)

    @cached_property
    def keywords(self) -> tuple[str, ...]:
        """The argument names by which the model is called; empty where its inputs have none."""
        return keywords(self._first_batch())

    @cached_property
    def example_inputs(self) -> ExampleInputs:
        """One example of the first split as the network is called with it; with a dynamic dimension, one of median
        size among some.

        Raises:
            RequestError: ``dynamic`` names no input, or no dimension beside the batch.
        """
        given = self._first_batch()
        names = input_names(given, lambda: self.model().forward)
        if unknown := set(self.dynamic) - set(names):
            raise RequestError(
                f"dynamic names {sorted(unknown)[0]!r}, which is no input; its inputs are {', '.join(names)}"
            )
        arrays, dynamic = as_arrays(given), tuple(self.dynamic.get(name) for name in names)
        for name, array, place in zip(names, arrays, dynamic, strict=True):
            if place is not None and place not in range(1, array.ndim):
                raise RequestError(
                    f"dynamic says {place!r} for {name}, whose shape is {array.shape} with the batch first; give the "
                    f"number of another dimension, from 1 to {array.ndim - 1}"
                )
        if self.dynamic:
            arrays = self._median_example(dynamic)
        return ExampleInputs(arrays, names, dynamic)

    def _first_batch(self) -> Any:
        return next(iter(self.splits.values())).batch(np.array([0]))[0]

    def _median_example(self, dynamic: Sequence[int | None]) -> Arrays:
        """Of some examples that with the median size of the first dynamic dimension."""
        number, place = next((number, place) for number, place in enumerate(dynamic) if place is not None)
        split = next(iter(self.splits.values()))
        chosen = np.unique(np.linspace(0, len(split) - 1, min(LOOKED_AT, len(split))).astype(np.int64))
        found = [read(split, chosen[first : first + 1])[0] for first in range(len(chosen))]
        return sorted(found, key=lambda arrays: arrays[number].shape[place])[len(found) // 2]

    @property
    def fit_takes_teacher(self) -> bool:
        """Whether ``fit`` has a fourth argument: the teacher, from which a candidate may learn."""
        if self.fit is None:
            return False
        arguments = [*signature(self.fit).parameters.values()]
        return len(arguments) > 3 or any(argument.kind is Parameter.VAR_POSITIONAL for argument in arguments)

    @property
    def metric_name(self) -> str:
        """The label of the metric, or the name of its function."""
        return self.metric_label or getattr(self.metric, "__name__", "quality")

    @property
    def quality(self) -> QualityMetric:
        """How the metric is read; one without a name, as of a ``lambda``, is called quality."""
        name = "quality" if self.metric_name == "<lambda>" else self.metric_name
        return QualityMetric(name, self.higher_is_better, self.metric_unit)


def _has_targets(split: Split) -> bool:
    return split.batch(np.array([0]))[1] is not None


def _as_split(name: str, given: Any) -> Split:
    if isinstance(given, Split):
        split: Split = given
    elif isinstance(given, tuple) and len(given) == 2:
        split = ArraySplit(*given)
    elif isinstance(given, Mapping):
        split = ArraySplit(*without_target(given))
    elif isinstance(given, np.ndarray):
        split = ArraySplit(given)
    else:
        from runners.dataset_split import as_dataset_split  # imports torch

        dataset = as_dataset_split(given)
        if dataset is None:
            raise RequestError(
                f"the {name} split is {type(given).__name__}; give a pair of arrays (inputs, targets), inputs alone "
                "(several as a dict by argument name), or a dataset of PyTorch"
            )
        split = dataset
    if len(split) == 0:
        raise RequestError(f"the {name} split is empty; give at least one example")
    return split
