"""The contract of a workload, checked before a search spends hours on one that breaks it."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from runners.workload import SPLITS, Workload
from runners.workload_loading.check_quality import check_classes, check_loss, check_metric
from runners.workload_loading.check_training import check_training_step
from runners.workload_loading.split_overlap import shared_examples, spread
from runners.workload_loading.user_code import type_of, user_code
from spaces.errors import RequestError
from spaces.plans import TrainingPlan

EXAMPLES = 2
"""Examples on which the network and the metric are tried."""

LONGEST_WORD = 40
"""Characters of the unit and of the label of a metric, which stand in the heads of tables."""

SAME_ANSWER = 1e-3
"""Largest difference between two answers to one input, as a share of the largest output: threads vary the sums."""


def check_contract(workload: Any) -> tuple[str, ...]:
    """Check a workload in seconds: splits, network on two examples, loss, metric, augmentation, one training step.

    Returns:
        What a person should know and the search can do with, a sentence each.

    Raises:
        RequestError: One sentence on the first thing that is wrong.
    """
    if not isinstance(workload, Workload):
        raise RequestError(f"a workload must be a runners.workload.Workload, not {type(workload).__name__}")
    try:
        # What it draws at random must not change what comes after.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return _check(workload)
    except RequestError as error:
        raise RequestError(f"workload {workload.name}: {error}") from error


def _check(workload: Workload) -> tuple[str, ...]:
    _check_fields(workload)
    _check_splits(workload)
    _check_repeatable(workload)
    inputs, targets = _first_examples(workload, "train")
    outputs = _check_network(workload, inputs)
    if workload.loss is None:
        check_classes(workload, outputs.shape)
    check_loss(workload, outputs, targets)
    note = check_metric(workload, outputs.shape)
    _check_augmentation(workload, inputs)
    check_training_step(workload, outputs.shape)
    for split in ("test", "validation"):
        _check_overlap(workload, split)
    return (*((note,) if note else ()), *_notes_of_splits(workload))


def _check_fields(workload: Workload) -> None:
    if not isinstance(workload.higher_is_better, bool):
        raise RequestError(f"higher_is_better must be True or False, not {workload.higher_is_better!r}")
    for name in ("metric_unit", "metric_label"):
        if not isinstance(text := getattr(workload, name), str) or len(text) > LONGEST_WORD or not text.isprintable():
            raise RequestError(f"{name} must be a short text such as 'K', not {str(text)[:LONGEST_WORD]!r}")
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
            raise RequestError(f"inputs of the {name} split are {type_of(inputs)}; they must be float32 arrays")
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
        raise RequestError(f"model() gives {type_of(network)}; it must give a torch.nn.Module")
    outputs = _outputs(network.eval(), inputs)
    if not torch.isfinite(outputs).all():
        raise RequestError("its model answers with NaN or infinity; check its weights and the scale of the inputs")
    if (alone := _outputs(network, inputs[:1])).shape[1:] != outputs.shape[1:]:
        raise RequestError(
            f"its model answers 1 example with shape {tuple(alone.shape)} and {len(inputs)} with "
            f"{tuple(outputs.shape)}; give one row for each input, whatever their number"
        )
    largest = float(outputs.abs().max())
    if float((_outputs(network, inputs) - outputs).abs().max()) > SAME_ANSWER * largest:
        raise RequestError(
            "its model answers the same inputs otherwise each time, in evaluation mode too; switch off what it draws "
            "at random where self.training is False"
        )
    if workload.pretrained:
        _check_pretrained(workload, network)
    return outputs


def _outputs(network: nn.Module, inputs: NDArray[Any]) -> Tensor:
    with user_code(f"its model on inputs of shape {inputs.shape}"), torch.no_grad():
        outputs = network(torch.from_numpy(inputs))
    if not isinstance(outputs, Tensor):
        raise RequestError(f"its model answers with {type_of(outputs)}; it must answer with one tensor")
    if outputs.dim() < 1 or outputs.shape[0] != len(inputs):
        raise RequestError(
            f"its model answers {len(inputs)} examples with shape {tuple(outputs.shape)}; the first must be the batch",
        )
    return outputs


def _check_pretrained(workload: Workload, network: nn.Module) -> None:
    from runners.lowering.weights import weights_digest

    with user_code("making its model again"):
        again = workload.model()
    if weights_digest(again) != weights_digest(network):
        raise RequestError(
            "it is pretrained, but model() gives other weights at each call; load the trained ones in it"
        )


def _check_augmentation(workload: Workload, inputs: NDArray[Any]) -> None:
    if workload.augment is None:
        return
    with user_code("its augmentation"):
        changed = workload.augment(torch.from_numpy(inputs.copy()), torch.Generator().manual_seed(0))
    if not isinstance(changed, Tensor) or changed.shape != inputs.shape:
        shape = tuple(changed.shape) if isinstance(changed, Tensor) else type_of(changed)
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


def _notes_of_splits(workload: Workload) -> tuple[str, ...]:
    """What the splits themselves have to say, each note once."""
    notes = [note for split in workload.splits.values() for note in getattr(split, "notes", ())]
    return tuple(dict.fromkeys(notes))


def _first_examples(workload: Workload, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    split = workload.splits[name]
    with user_code(f"reading its {name} split"):
        return split.batch(np.arange(min(EXAMPLES, len(split))))
