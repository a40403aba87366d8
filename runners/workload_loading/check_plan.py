"""The training plan and the person's own loop, checked against the rest of the workload."""

from collections.abc import Sequence
from inspect import signature
from typing import Any

from numpy.typing import NDArray

from runners.workload import Workload
from spaces.errors import RequestError
from spaces.plans import SOFT_TARGETS, TrainingPlan

ARGUMENTS = "fit(model, data, plan, teacher)"


def check_plan(workload: Workload, inputs: Sequence[NDArray[Any]]) -> tuple[str, ...]:
    """Refuse what the plan asks for and has no effect or cannot be.

    Args:
        workload: Its plan, loss and loop.
        inputs: Some training examples, an array for each input.

    Returns:
        What a person should know, a sentence each.

    Raises:
        RequestError: Label smoothing of a loss of its own, mixup of whole numbers, a warm-up of a schedule that has
            none, more workers than a batch has examples, or a loop with other arguments or in several processes.
    """
    if workload.fit is not None:
        return _check_fit(workload)
    plan = workload.training
    if plan.label_smoothing and workload.loss is not None:
        raise RequestError(
            f"training: label_smoothing is {plan.label_smoothing}, which is that of the default loss (cross-entropy); "
            "smooth the labels in its own loss and leave label_smoothing out"
        )
    if plan.warmup != TrainingPlan.warmup and plan.schedule != "cosine":
        raise RequestError(
            f"training: warmup is {plan.warmup}, but the schedule {plan.schedule!r} has a warm-up of its own; "
            "give schedule='cosine', or leave warmup out"
        )
    examples = examples_of_step(workload)
    if examples is not None and plan.batch_shares > examples:
        raise RequestError(
            f"training: workers is {plan.workers}, but {plan.batch_shares} share a batch of {examples} (the smaller of "
            "batch_size and the train split); give fewer workers"
        )
    whole = [array.dtype for array in inputs if array.dtype.kind != "f"]
    if plan.mixup and whole:
        raise RequestError(
            f"training: mixup is {plan.mixup}, and an input is {whole[0]}, which cannot be mixed; leave mixup out"
        )
    if reason := why_no_method(workload, plan.distillation_method):
        raise RequestError(f"training: distillation_method is {plan.distillation_method!r}, but {reason}")
    return ()


def examples_of_step(workload: Workload) -> int | None:
    """The examples of one optimiser step, of all workers together; None where there is nothing to train on."""
    train = workload.splits.get("train")
    return None if train is None else min(workload.training.batch_size, len(train))


def examples_of_part(workload: Workload) -> int:
    """The examples that one worker computes at once: its share of a batch, or of a part of one."""
    plan = workload.training
    return (examples_of_step(workload) or 0) // plan.batch_shares // plan.accumulation


def why_no_method(workload: Workload, method: str) -> str | None:
    """Why candidates of ``workload`` cannot be distilled by ``method``, or None."""
    if method == SOFT_TARGETS or workload.fit is not None:
        return None
    if method == "relations" and examples_of_part(workload) < 2:
        return "it compares the examples of a batch with each other, and one is computed at a time"
    from runners.models.called_layers import example_batch  # imports torch
    from runners.models.compared_layers import why_not_compared

    return why_not_compared(method, workload.network(), example_batch(workload.example_inputs.arrays))


def _check_fit(workload: Workload) -> tuple[str, ...]:
    if not callable(workload.fit):
        raise RequestError(f"fit must be a function {ARGUMENTS}, not {type(workload.fit).__name__}")
    try:
        signature(workload.fit).bind(*range(4 if workload.fit_takes_teacher else 3))
    except TypeError as error:
        raise RequestError(f"fit must be a function {ARGUMENTS}, or without the teacher ({error})") from error
    if workload.training.workers > 1:
        raise RequestError(
            f"training: workers is {workload.training.workers}, but its own loop (fit) runs in one process; "
            "leave workers out"
        )
    for name in ("trainable", "layer_decay", "distillation_method"):
        if (given := getattr(workload.training, name)) != getattr(TrainingPlan, name):
            raise RequestError(
                f"training: {name} is {given!r}, but its own loop (fit) trains the model; leave {name} out, and do so "
                "in it"
            )
    if workload.fit_obeys_epochs:
        return ()
    return (
        "its own loop (fit) trains in one go, so that no candidate is stopped early; where it trains just plan.epochs, "
        "say fit_obeys_epochs=True",
    )
