"""A part of a split, and the examples that are held out of the validation split to calibrate on."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces.errors import RequestError

MOST_HELD_OUT = 128
"""As many examples as int8 is calibrated on."""
SHARE = 5
"""One example in so many is held out at most."""


class Part:
    """The examples of ``split`` at ``indices``, ``(n,)``."""

    def __init__(self, split: Any, indices: NDArray[np.int64]) -> None:
        self._split, self._indices = split, indices
        self.notes: tuple[str, ...] = tuple(getattr(split, "notes", ()))
        self.preparation: str = getattr(split, "preparation", "")
        if getattr(split, "targets", None) is not None:
            self.targets = np.asarray(split.targets)[indices]

    def __len__(self) -> int:
        return len(self._indices)

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[Any], Any]:
        """Inputs and targets of the split at these places of the part."""
        inputs, targets = self._split.batch(self._indices[indices])
        return inputs, targets

    def fingerprint(self) -> str:
        """A hash over the split and the places in it."""
        return hashlib.sha256(self._split.fingerprint().encode() + self._indices.tobytes()).hexdigest()


def hold_out(validation: Any) -> tuple[Part, Part]:
    """The validation split without the examples that are held out for calibration, and these.

    What int8 was calibrated on does not judge it. The examples are drawn with a fixed seed.

    Raises:
        RequestError: There is only one example.
    """
    count = len(validation)
    if count < 2:
        raise RequestError(
            "the validation split has one example, and without train and calibration splits some are held out to "
            "calibrate int8; give more examples, or a calibration split"
        )
    held = min(MOST_HELD_OUT, max(1, count // SHARE))
    order = np.random.RandomState(0).permutation(count).astype(np.int64)  # the same numbers in all versions of NumPy
    part = Part(validation, np.sort(order[:held]))
    part.notes = (
        f"{held} of the {count} validation examples calibrate int8 and are left out of the quality, as there is no "
        "train or calibration split",
    )
    return Part(validation, np.sort(order[held:])), part
