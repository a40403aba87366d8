"""The contract of a workload, checked before a search spends hours on one that breaks it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from runners.inputs import Arrays, augmented, input_names, read
from runners.workload import CALIBRATION, UNLABELLED, Workload, accuracy
from runners.workload_loading.check_calibration import calibration_note
from runners.workload_loading.check_network import check_network, shapes_text
from runners.workload_loading.check_plan import check_plan
from runners.workload_loading.check_quality import check_classes, check_loss, check_metric, check_teacher_metric
from runners.workload_loading.check_training import check_training_step
from runners.workload_loading.split_overlap import shared_examples, spread
from runners.workload_loading.user_code import type_of, user_code
from spaces.errors import RequestError
from spaces.plans import TrainingPlan

EXAMPLES = 2
"""Examples on which the network and the metric are tried."""

LONGEST_WORD = 40
"""Characters of the unit and of the label of a metric, which stand in the heads of tables."""


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
    _check_labels(workload)
    _check_repeatable(workload)
    inputs, targets = _first_examples(workload, next(iter(workload.splits)))
    outputs = check_network(workload, inputs)
    notes = () if workload.cannot_train else check_plan(workload, inputs)
    trained_here = not workload.cannot_train and workload.fit is None
    if workload.labelled and workload.loss is None and (workload.metric is accuracy or trained_here):
        check_classes(workload, outputs.shape)
    if trained_here:
        check_loss(workload, outputs, targets)
    note = check_metric(workload, outputs.shape) if workload.labelled else check_teacher_metric(workload, outputs)
    if trained_here:
        _check_augmentation(workload, inputs)
        check_training_step(workload, outputs.shape)
    for evaluated in ("test", "validation"):
        for learnt_from in ("train", CALIBRATION, UNLABELLED):
            if {evaluated, learnt_from} <= workload.splits.keys():
                _check_overlap(workload, evaluated, learnt_from)
    told = (*notes, note, calibration_note(workload), *_notes_of_splits(workload))
    return tuple(each for each in told if each)


def _check_fields(workload: Workload) -> None:
    if not isinstance(workload.dynamic, Mapping):
        given = f"{{{workload.dynamic!r}: 1}}" if isinstance(workload.dynamic, str) else "{'input': 1}"
        raise RequestError(f"dynamic must give a dimension by the name of its input, such as {given}")
    if workload.output is not None and not (isinstance(workload.output, (str, int)) or callable(workload.output)):
        raise RequestError(f"output must be a name, an index or a function, not {type(workload.output).__name__}")
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
    for name in splits:
        _check_same_inputs(workload, name)
        inputs, targets = _first_examples(workload, name)
        expected = min(EXAMPLES, len(splits[name]))
        given = expected if targets is None else len(targets)
        for array in inputs:
            if len(array) != expected or given != expected:
                raise RequestError(
                    f"the {name} split gives {len(array)} inputs and {given} targets for {expected} examples",
                )
            if not np.isfinite(array).all():
                raise RequestError(f"inputs of the {name} split hold NaN or infinity; clean the data")
        shapes[name] = _fixed_shapes(workload, inputs)
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise RequestError(f"its splits have inputs of different shapes ({listed}); make them the same")


def _check_same_inputs(workload: Workload, name: str) -> None:
    with user_code(f"reading its {name} split"):
        given = workload.splits[name].batch(np.array([0]))[0]
    names = input_names(given, lambda: workload.model().forward)
    if names != (wanted := workload.example_inputs.names):
        raise RequestError(
            f"the {name} split has the inputs {', '.join(names)}, and the {next(iter(workload.splits))} split "
            f"{', '.join(wanted)}; give the same, in the same order"
        )


def _fixed_shapes(workload: Workload, inputs: Arrays) -> tuple[Any, ...]:
    """The shapes of the inputs without what may differ between calls; one shape where there is one input."""
    example = workload.example_inputs
    shapes = replace(example, arrays=inputs).shapes
    free = {array.shape[place] for array, place in zip(inputs, example.dynamic, strict=False) if place is not None}
    if len(free) > 1:
        raise RequestError(
            f"the dynamic dimensions of its inputs have sizes {', '.join(map(str, sorted(free)))} in one call; give "
            "all the same"
        )
    return shapes if len(shapes) > 1 else shapes[0]


def _check_labels(workload: Workload) -> None:
    """Refuse labels in one of the splits that judge alone, and data that cannot train a model that needs it."""
    judging = [name for name in ("validation", "test") if name in workload.splits]
    labelled = [name for name in judging if _first_examples(workload, name)[1] is not None]
    if (labelled and labelled != judging) or (not labelled and not workload.cannot_train):
        has = [*labelled, *([] if workload.cannot_train else ["train"])]
        lacks = next(name for name in judging if name not in labelled)
        raise RequestError(f"its {has[0]} split has labels and its {lacks} split has none; give both, or neither")
    if workload.cannot_train and not workload.pretrained:
        raise RequestError(
            f"{workload.cannot_train}, and the model is not pretrained; say pretrained=True where model() loads "
            "trained weights, or give a train split with labels"
        )


def _same(one: tuple[Arrays, Any], other: tuple[Arrays, Any]) -> bool:
    pairs = zip((*one[0], one[1]), (*other[0], other[1]), strict=True)
    return all(np.array_equal(first, second) for first, second in pairs)


def _check_repeatable(workload: Workload) -> None:
    """Every process loads the data for itself; a split drawn again in each would leak test data into training."""
    with user_code("loading its data again"):
        again = replace(workload).splits
    for name, split in workload.splits.items():
        some = spread(len(split), 8)
        same_length = name in again and len(split) == len(again[name])
        if not same_length or not _same(read(split, some), read(again[name], some)):
            raise RequestError(f"data() gives another {name} split at each call; draw it with a fixed seed")


def _check_augmentation(workload: Workload, inputs: Arrays) -> None:
    if workload.augment is None:
        return
    given = tuple(torch.from_numpy(array.copy()) for array in inputs)
    with user_code("its augmentation"):
        changed = augmented(workload.augment, given, torch.Generator().manual_seed(0))
    if [getattr(each, "shape", None) for each in changed] != [array.shape for array in inputs]:
        made = " and ".join(str(tuple(each.shape)) if isinstance(each, Tensor) else type_of(each) for each in changed)
        raise RequestError(f"its augmentation makes {made} of inputs {shapes_text(inputs)}; it must keep the shape")


def _check_overlap(workload: Workload, name: str, other: str) -> None:
    """Examples that the model was trained or calibrated on say little of its quality."""
    evaluated, known = workload.splits[name], workload.splits[other]
    if evaluated is known:
        raise RequestError(f"its {name} split is its {other} split; keep them apart")
    shared, looked_for = shared_examples(evaluated, known)
    if shared > looked_for / 2:
        share = f"{shared} of {looked_for} examples"
        raise RequestError(f"{share} of its {name} split are in its {other} split too; keep them apart")


def _notes_of_splits(workload: Workload) -> tuple[str, ...]:
    """What the splits themselves have to say, each note once."""
    notes = [note for split in workload.splits.values() for note in getattr(split, "notes", ())]
    return tuple(dict.fromkeys(notes))


def _first_examples(workload: Workload, name: str) -> tuple[Arrays, Any]:
    split = workload.splits[name]
    with user_code(f"reading its {name} split"):
        return read(split, np.arange(min(EXAMPLES, len(split))))
