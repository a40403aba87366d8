"""The figures of a candidate that one stage gives to the next until it is measured, and those of its training."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

EPOCH_LOSSES = "epoch_losses"
"""In the result of a training, the mean loss of each epoch by the number of epochs trained with it."""


@dataclass(frozen=True)
class CandidateFigures:
    """What is known of a candidate after the stages so far; None is not known yet.

    Attributes:
        macs: Multiply-accumulate operations for one input; their mean where they depend on the input.
        parameters: Number of parameters.
        train_seconds: Time spent on training the candidate; 0 for the teacher.
        train_throughput_per_s: Examples a second of its last training, as it went beside others.
        teacher_seconds: Time spent on training the teacher.
        epochs: Epochs that it was trained for.
        accuracy: Quality of the trained network on the validation split, before it is quantised and lowered.
        accuracy_ci95: Its 95 % interval.
        export_note: Why the older exporter to ONNX had to be used.
        size_mib: Size of the artifact.
        lowering_seconds: Time that its runtime took to write it, compilation and any export for it included.
        runtime: The backend that opens the artifact.
        precision: The number format that it was lowered to.
        timed_inputs: Inputs over which it is timed, where its speed depends on them.
    """

    macs: int
    parameters: int
    train_seconds: float
    train_throughput_per_s: float | None = None
    teacher_seconds: float | None = None
    epochs: int | None = None
    accuracy: float | None = None
    accuracy_ci95: list[float] | None = None
    export_note: str | None = None
    size_mib: float | None = None
    lowering_seconds: float | None = None
    runtime: str | None = None
    precision: str | None = None
    timed_inputs: int | None = None

    @classmethod
    def from_json(cls, result: Mapping[str, Any]) -> "CandidateFigures":
        """The figures that `to_json` gave; other keys may stand beside them."""
        return cls(**{field.name: result[field.name] for field in fields(cls) if field.name in result})

    def to_json(self) -> dict[str, Any]:
        """What is known, in plain JSON types."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def figures_of_training(rate: float, faster: tuple[float, ...], trained_examples: int) -> dict[str, Any]:
    """The fields of `Measurement` on the speed of a training.

    Args:
        rate: Examples a second of the teacher's network, found once in a study.
        faster: How many times as fast the training is, and both ends of its 95 % interval.
        trained_examples: How many examples the whole training sees.
    """
    value, low, high = (rate * ratio for ratio in faster)
    return {
        "train_throughput_per_s": value,
        "train_throughput_per_s_ci95": [low, high],
        "train_seconds": trained_examples / value,
        "train_seconds_ci95": [trained_examples / high, trained_examples / low],
    }


def with_training(figures: Mapping[str, Any], training: Mapping[str, Any]) -> dict[str, Any]:
    """``figures`` of a measuring stage with those of the timing of its training, and all reasons not to trust them."""
    doubts = [figures["unstable"], *(f"training: {each}" for each in training["unstable"].split("; ") if each)]
    return {**figures, **training, "unstable": "; ".join(filter(None, doubts))}
