"""One real example with its label, which an exported folder carries so that it can be tried at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.inputs import ExampleInputs, read

SAMPLE = "sample.npz"
"""Name of the file: an array for each input by its name, with a batch of one, and ``label`` where there is one."""
LABEL = "label"


@dataclass(frozen=True)
class Sample:
    """One example of the data.

    Attributes:
        inputs: The array of each input by its name, ``(1, *shape)``.
        label: What the data say of it, with a batch of one; None where they have no labels.
        classes: The names of the classes in the order of the outputs; empty where they have none.
    """

    inputs: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    label: NDArray[Any] | None = None
    classes: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Write it into ``folder``; nothing where there are no inputs."""
        if self.inputs:
            label = {} if self.label is None else {LABEL: self.label}
            arrays: dict[str, Any] = {**self.inputs, **label}
            np.savez_compressed(folder / SAMPLE, **arrays)


def sample_of(splits: Mapping[str, Any], example: ExampleInputs) -> Sample:
    """The first example of the test split, or of the validation split where there is none.

    Args:
        splits: The data of a workload.
        example: Names its inputs.
    """
    split = splits.get("test") or splits["validation"]
    inputs, targets = read(split, np.array([0], np.int64))
    label = None if targets is None else np.asarray(targets)
    if label is not None and label.dtype.kind not in "fiub":
        label = None
    return Sample(dict(zip(example.names, inputs, strict=True)), label, _classes(splits.values()))


def _classes(splits: Any) -> tuple[str, ...]:
    found: Sequence[str] = next((split.classes for split in splits if getattr(split, "classes", ())), ())
    return tuple(map(str, found))
